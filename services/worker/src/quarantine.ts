// The quarantine of a run: images that kill every process that works on them, each in a folder with all that reproduces it.
// For engine-process.ts. What stands here holds for all workers, so that none of them dies of the same image again.
import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { z } from 'zod';
import { DEFAULT_IMAGE_LIMITS } from '../../../extractor/src/preprocess.ts';
import { Refusal, type SampleFailure } from '../../../shared/src/errors.ts';
import type { Sample } from '../../../shared/src/manifest.ts';
import { encodeJson, type RunRecord, shardName } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { readImageFile } from './read-image-file.ts';
import { reproduceCommand } from './reproduce-command.ts';

/** `quarantine/000/000042-17/crash.json`; the copy of the image stands beside it. */
export const CrashRecord = z.strictObject({
  version: z.literal(1),
  shard: z.int(),
  /** Position in the shard. */
  row: z.int(),
  sampleId: z.string(),
  uri: z.string(),
  /** Of the image's bytes; null where they could not be read. */
  sha256: z.string().nullable(),
  /** How the engine process ended each time when it was alone with the image. */
  death: z.string(),
  /** Name of the copy in the same folder; null where there is none. */
  copy: z.string().nullable(),
  /** To be pasted into a shell; null where there is no copy. */
  reproduce: z.string().nullable(),
});
export type CrashRecord = z.output<typeof CrashRecord>;

/** The list and the recipe that the command names. */
const LIST_FILE = 'list.txt';
const RECIPE_FILE = 'recipe.json';
const RECORD_FILE = 'crash.json';

export interface Crash {
  readonly shard: number;
  readonly row: number;
  readonly sample: Sample;
  readonly death: string;
}

/** The record comes last and whole: it alone means that the image is in quarantine. Returns the folder, relative to the run. */
export async function quarantineImage(storage: Storage, run: RunRecord, crash: Crash): Promise<string> {
  const { shard, row, sample, death } = crash;
  const folder = folderOf(run, shard, row);
  const file = await readImageFile(sample.uri, DEFAULT_IMAGE_LIMITS.maxBytes);
  const copy = file.ok ? `image${extname(sample.uri)}` : null;
  if (file.ok && copy !== null) {
    await storage.replace(`${folder}/${copy}`, file.bytes);
    await storage.replace(`${folder}/${LIST_FILE}`, new TextEncoder().encode(`${copy}\n`));
    await storage.replace(`${folder}/${RECIPE_FILE}`, encodeJson(run.request.recipe));
  }
  const record: CrashRecord = {
    version: 1,
    shard,
    row,
    sampleId: sample.sampleId,
    uri: sample.uri,
    sha256: file.ok ? createHash('sha256').update(file.bytes).digest('hex') : null,
    death,
    copy,
    reproduce: copy === null ? null : reproduceCommand(run, `${storage.root}/${folder}`, LIST_FILE, RECIPE_FILE),
  };
  await storage.replace(`${folder}/${RECORD_FILE}`, encodeJson(record));
  return folder;
}

/** The quarantine of a retry's row becomes that of the row of the run; the files come first here too. Returns the new record. */
export async function adoptCrash(
  storage: Storage,
  run: RunRecord,
  { shard, row }: Pick<Crash, 'shard' | 'row'>,
  retry: { readonly storage: Storage; readonly run: RunRecord; readonly record: CrashRecord },
): Promise<CrashRecord> {
  const before = folderOf(retry.run, retry.record.shard, retry.record.row);
  const folder = folderOf(run, shard, row);
  for (const name of [retry.record.copy, LIST_FILE, RECIPE_FILE]) {
    const bytes = name === null ? undefined : await retry.storage.read(`${before}/${name}`);
    if (bytes !== undefined) await storage.replace(`${folder}/${name}`, bytes);
  }
  const { copy } = retry.record;
  const reproduce = copy === null ? null : reproduceCommand(run, `${storage.root}/${folder}`, LIST_FILE, RECIPE_FILE);
  const record: CrashRecord = { ...retry.record, shard, row, reproduce };
  await storage.replace(`${folder}/${RECORD_FILE}`, encodeJson(record));
  return record;
}

/** An image that is ok by now is not to fail unseen where its shard is done once more. */
export async function releaseImage(storage: Storage, run: RunRecord, shard: number, row: number): Promise<void> {
  await storage.removeFolder(folderOf(run, shard, row));
}

/** The images of a shard that are in quarantine, by their rows' positions in the shard. */
export async function readQuarantine(
  storage: Storage,
  run: RunRecord,
  shard: number,
): Promise<ReadonlyMap<number, CrashRecord>> {
  const records = new Map<number, CrashRecord>();
  const parent = `quarantine/${shardName(run, shard).split('/')[0]}`;
  for await (const path of storage.list(parent)) {
    const row = Number(/-(\d+)\/crash\.json$/.exec(path)?.[1]);
    if (path !== `${folderOf(run, shard, row)}/${RECORD_FILE}`) continue;
    const bytes = await storage.read(path);
    // Removed by a user who wants to have the image tried again.
    if (bytes !== undefined) records.set(row, parseRecord(bytes, `${storage.root}/${path}`));
  }
  return records;
}

/** What the row of such an image says. */
export function failureOf(record: CrashRecord, run: RunRecord): SampleFailure {
  const folder = folderOf(run, record.shard, record.row);
  return { code: 'crashed-worker', message: `alone with it, the engine process ${record.death}: see ${folder}` };
}

function folderOf(run: RunRecord, shard: number, row: number): string {
  return `quarantine/${shardName(run, shard)}-${row}`;
}

function parseRecord(bytes: Uint8Array, path: string): CrashRecord {
  try {
    return CrashRecord.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new Refusal(
      'run-unreadable',
      `Expected the record of an image in quarantine in '${path}' but it is damaged`,
      {
        hint: 'Delete that file and run `npx layertap resume`: the image is tried again.',
        cause,
      },
    );
  }
}
