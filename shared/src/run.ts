// The run directory: its paths, run.json, and which shards are done. Files are the truth; a queue is rebuilt from here.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { Refusal } from './errors.ts';
import { decidingFields, fingerprintOf } from './fingerprint.ts';
import { CarriedColumn } from './manifest.ts';
import { ShardReceipt } from './receipt.ts';
import { DTYPES, ExtractRequest } from './request.ts';
import { Skipped } from './skipped.ts';
import { SourceSettings } from './source-options.ts';
import type { Storage } from './storage.ts';

/** Where the columns of added layers are made, in the run directory. */
export const ADDED_LAYERS = /^\.layertap-layers-[0-9a-f]+$/;

export const RunRecord = z.strictObject({
  version: z.literal(1),
  runId: z.string().regex(/^\w[\w.-]*$/),
  createdAt: z.string(),
  /** SOURCE as the user gave it, made absolute. */
  source: z.string(),
  /** How it is read, where that is not as by itself. */
  sourceSettings: SourceSettings.optional(),
  /** The first so many samples of the source; all where it is missing. */
  limit: z.int().min(1).optional(),
  request: ExtractRequest,
  fingerprint: z.string(),
  /** One output column per entry. */
  columns: z.array(z.strictObject({ name: z.string(), dtype: z.enum(DTYPES), shape: z.array(z.int()) })),
  carried: z.array(CarriedColumn),
  manifest: z.strictObject({ rows: z.int(), digest: z.string() }),
  /** What the source passed over as the manifest was written. */
  skipped: z.array(Skipped).optional(),
  shardSize: z.int().min(1),
  shards: z.int(),
  /** How the columns of features lie in all parts of the run; the first schema where it is missing. See tensor.ts. */
  partSchema: z.literal(2).optional(),
  versions: z.record(z.string(), z.string()),
  /** Only while layers are added: shards whose receipts have this fingerprint lack the columns that the run in this folder has. */
  adding: z.strictObject({ fingerprint: z.string(), folder: z.string().regex(ADDED_LAYERS) }).optional(),
});
export type RunRecord = z.output<typeof RunRecord>;

export const RUN_FILE = 'run.json';
/** What decides the last bits of a deterministic run beside its request. */
export const CONDITIONS_FILE = 'deterministic.json';
export const SUMMARY_FILE = 'summary.json';

/** Another one for every run, and for each manifest that a run gets. */
export function newRunId(): string {
  return `run-${randomBytes(6).toString('hex')}`;
}

/** Rows [first, first + rows) of the manifest make a shard. */
export function shardRange(run: RunRecord, shard: number): { readonly first: number; readonly rows: number } {
  const first = shard * run.shardSize;
  return { first, rows: Math.min(run.shardSize, run.manifest.rows - first) };
}

/** Neighbouring shards, both ends included. */
export interface ShardSpan {
  readonly first: number;
  readonly last: number;
}

/** `000/000042`: padded to the count of shards, 1,000 a folder. */
export function shardName(run: Pick<RunRecord, 'shards'>, shard: number): string {
  const digits = Math.max(6, String(run.shards - 1).length);
  const folder = String(Math.floor(shard / 1000)).padStart(digits - 3, '0');
  return `${folder}/${String(shard).padStart(digits, '0')}`;
}

export function receiptPath(run: RunRecord, shard: number): string {
  return `receipts/${shardName(run, shard)}.json`;
}

/** Of two formats each has a folder for itself: readers take a folder of one format as one table. */
export function partsFolder({ partSchema, request }: RunRecord, extension: string): string {
  return request.format === 'both' && partSchema !== undefined ? `parts/${extension}` : 'parts';
}

/** The content hash in the name lets two workers write one shard without touching each other's part. */
export function partPath(run: RunRecord, { first, last }: ShardSpan, sha256: string, extension: string): string {
  const upTo = last === first ? '' : `-${shardName(run, last).split('/')[1]}`;
  return `${partsFolder(run, extension)}/${shardName(run, first)}${upTo}-${sha256.slice(0, 8)}.${extension}`;
}

/** run.json of a directory, or undefined when it holds none. */
export async function findRun(storage: Storage): Promise<RunRecord | undefined> {
  const bytes = await storage.read(RUN_FILE);
  if (bytes === undefined) return undefined;
  const parsed = RunRecord.safeParse(parseJson(bytes));
  if (parsed.success) return parsed.data;
  throw new Refusal(
    'run-unreadable',
    `Expected a run record in '${storage.root}/${RUN_FILE}' but: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`,
    {
      hint: 'It was written by another version of layertap, or damaged.',
    },
  );
}

/** Refuses where the directory was removed, or emptied, while a run works in it: nothing may be written beside a run that is gone. */
export async function requireStanding(storage: Storage): Promise<void> {
  if ((await storage.size(RUN_FILE)) !== undefined) return;
  throw new Refusal('run-missing', `The output directory '${storage.root}' was removed while the run went on`, {
    hint: 'What was done is gone with it: run the same command again.',
  });
}

/** run.json of a directory; refuses where there is none. */
export async function openRun(storage: Storage): Promise<RunRecord> {
  const run = await findRun(storage);
  if (run !== undefined) return run;
  throw new Refusal('run-missing', `Expected a run in '${storage.root}' but it has no ${RUN_FILE}`, {
    hint: 'Give the --out directory of an earlier `npx layertap extract` or `npx layertap enqueue`.',
  });
}

/**
 * Refuses where another command has changed the run since it was read: what follows would undo that.
 * @throws Refusal `run-mismatch`
 */
export async function requireUnchanged(storage: Storage, run: RunRecord): Promise<void> {
  const now = await openRun(storage);
  if (now.runId === run.runId && now.fingerprint === run.fingerprint && now.adding === undefined) return;
  throw new Refusal('run-mismatch', `The run in '${storage.root}' was changed by another command meanwhile`, {
    hint: 'Nothing of this one was put into it: run the same command again.',
  });
}

/** Writes run.json once; false when another producer was first. */
export async function createRun(storage: Storage, run: RunRecord): Promise<boolean> {
  return storage.createOnce(RUN_FILE, encodeJson(run));
}

/** The receipt of a shard, or undefined while it is not done. */
export async function readReceipt(storage: Storage, run: RunRecord, shard: number): Promise<ShardReceipt | undefined> {
  const path = receiptPath(run, shard);
  const bytes = await storage.read(path);
  if (bytes === undefined) return undefined;
  const parsed = ShardReceipt.safeParse(parseJson(bytes));
  if (parsed.success) return parsed.data;
  throw new Refusal('run-unreadable', `Expected a receipt in '${storage.root}/${path}' but it is damaged`, {
    hint: `To have the shard done again: npx layertap resume ${storage.root}`,
    cause: parsed.error,
  });
}

/** All receipts in order of their shards; shards that are not done are left out. */
export async function* readReceipts(storage: Storage, run: RunRecord): AsyncGenerator<ShardReceipt> {
  for (const shard of await doneShards(storage, run)) {
    const receipt = await readReceipt(storage, run, shard);
    if (receipt !== undefined) yield receipt;
  }
}

/** Numbers of the shards that have a receipt, ascending. */
export async function doneShards(storage: Storage, run: RunRecord): Promise<readonly number[]> {
  const done: number[] = [];
  for await (const path of storage.list('receipts')) {
    const shard = Number(/\/(\d+)\.json$/.exec(path)?.[1]);
    // A copy or a backup elsewhere in the folder is no receipt.
    if (shard < run.shards && path === receiptPath(run, shard)) done.push(shard);
  }
  return done.sort((a, b) => a - b);
}

/** The shards without a receipt, ascending. */
export async function missingShards(storage: Storage, run: RunRecord): Promise<readonly number[]> {
  const done = new Set(await doneShards(storage, run));
  return Array.from({ length: run.shards }, (_, shard) => shard).filter(shard => !done.has(shard));
}

/** What differs between a run and a new request, one line each; empty when it is the same work. */
export function describeDifferences(run: RunRecord, request: ExtractRequest, source: string): readonly string[] {
  const stored = ({ format, tensors }: ExtractRequest) => ({ format, tensors });
  const before = { ...decidingFields(run.request), ...stored(run.request), source: run.source };
  const now: Readonly<Record<string, unknown>> = { ...decidingFields(request), ...stored(request), source };
  return Object.entries(before)
    .map(([name, value]) => ({ name, before: JSON.stringify(value), now: JSON.stringify(now[name]) }))
    .filter(difference => difference.before !== difference.now)
    .map(difference => `${difference.name} was ${difference.before ?? 'none'} and is now ${difference.now ?? 'none'}`);
}

/** Refuses a run whose record does not hash to its own fingerprint: run.json was edited. */
export function checkFingerprint(storage: Storage, run: RunRecord): void {
  if (fingerprintOf(run.request) === run.fingerprint) return;
  throw new Refusal(
    'run-mismatch',
    `Expected the request in '${storage.root}/${RUN_FILE}' to have the fingerprint ${run.fingerprint.slice(0, 12)}… but it has been changed`,
    {
      hint: 'Undo the change, or extract into another directory.',
    },
  );
}

export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
