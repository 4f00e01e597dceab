// Puts the columns of added layers into the parts of a run, shard by shard: a new part with all columns, then its receipt, then
// the old part goes. run.json comes first and says that this goes on: whoever finds it so, ends it.
import { join } from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import { Refusal } from '../../../shared/src/errors.ts';
import { readPartFile } from '../../../shared/src/part-reader.ts';
import { addCounts, doingOf, type ShardReceipt } from '../../../shared/src/receipt.ts';
import { rowSchema } from '../../../shared/src/row-schema.ts';
import {
  doneShards,
  encodeJson,
  findRun,
  RUN_FILE,
  type RunRecord,
  readReceipt,
  readReceipts,
  receiptPath,
  requireUnchanged,
  SUMMARY_FILE,
} from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { createFileHashes, type FileHashes, requireUndamaged } from '../../../shared/src/verify-shard.ts';
import { allVersions } from '../../../shared/src/versions.ts';
import { openRowReader, withColumns } from './join-columns.ts';
import { openPart, removeReplaced, replaceReceipts } from './publish.ts';

export interface AddedLayers {
  /** Finished: the same rows, with the new columns alone. */
  readonly run: RunRecord;
  readonly storage: Storage;
  /** What run.json becomes: with all columns, and `adding`. */
  readonly extended: RunRecord;
}

/**
 * Adds the columns to every shard. Returns the run with them. A shard whose part is damaged loses its receipt: done again, it has
 * all columns.
 * @throws Refusal `run-incomplete` where an image that has features has none in the new columns, or is another one by now, and
 * `run-mismatch` where another command has changed the run since it was read; nothing was changed then
 */
export async function addColumns(storage: Storage, run: RunRecord, layers: AddedLayers): Promise<RunRecord> {
  await requireSameRows(storage, run, layers);
  await requireUnchanged(storage, run);
  await storage.remove(SUMMARY_FILE);
  await storage.replace(RUN_FILE, encodeJson(layers.extended));
  return endAdding(storage, layers.extended);
}

/** Ends what `addColumns` began, whatever interrupted it; returns the run as it is then. */
export async function endAdding(storage: Storage, run: RunRecord): Promise<RunRecord> {
  const { adding, ...ended } = run;
  if (adding === undefined) return run;
  const own = openFileStorage(join(storage.root, adding.folder));
  const columns = await unlessUnreadable(findRun(own));
  const hashes = { old: createFileHashes(storage), added: createFileHashes(own) };
  for (const shard of await doneShards(storage, run)) {
    const receipt = await unlessUnreadable(readReceipt(storage, run, shard));
    if (receipt?.fingerprint === run.fingerprint) continue;
    const added = columns && (await readReceipt(own, columns, shard));
    // Without receipt it is a shard that is not done: with all layers, where its old part or the new columns are lost.
    if (receipt === undefined || added === undefined || !(await isWhole(storage, receipt, hashes.old)))
      await storage.remove(receiptPath(run, shard));
    else await addToShard(storage, ended, receipt, { storage: own, receipt: added }, hashes.added);
  }
  await storage.replace(RUN_FILE, encodeJson(ended));
  await storage.removeFolder(adding.folder);
  return ended;
}

async function unlessUnreadable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Refusal && error.code === 'run-unreadable') return undefined;
    throw error;
  }
}

async function isWhole(storage: Storage, { files }: ShardReceipt, hashes: FileHashes): Promise<boolean> {
  const [file] = files;
  const undamaged = file && requireUndamaged(storage, file, hashes).then(() => true);
  return undamaged !== undefined && (await unlessUnreadable(undamaged)) === true;
}

/** An image may have become unreadable since, or another one: old values would stand beside none, or beside a stranger's. */
async function requireSameRows(storage: Storage, run: RunRecord, added: AddedLayers): Promise<void> {
  const [lost, changed]: [string[], string[]] = [[], []];
  for await (const receipt of readReceipts(added.storage, added.run)) {
    // A shard that cannot be read is done again, with all layers.
    const standing = await unlessUnreadable(readReceipt(storage, run, receipt.shard));
    const differences = standing && (await unlessUnreadable(compareImages(storage, standing, added.storage, receipt)));
    lost.push(...(differences?.lost ?? []));
    changed.push(...(differences?.changed ?? []));
  }
  const folder = added.storage.root;
  if (changed.length > 0) {
    throw new Refusal(
      'run-incomplete',
      `Expected the images that '${storage.root}' has features of but ${namesOf(changed)} changed since; nothing was changed in the run`,
      {
        hint: `Put the old files back, remove '${folder}', and run the same command again; or extract into another directory.`,
      },
    );
  }
  if (lost.length === 0) return;
  throw new Refusal(
    'run-incomplete',
    `Expected features of every image that has some in '${storage.root}' but ${namesOf(lost)} failed this time; nothing was changed`,
    {
      hint: `Mend them (npx layertap explain ${folder} SAMPLE tells the cause), then: npx layertap retry-failed ${folder}, and the same command again.`,
    },
  );
}

async function compareImages(
  storage: Storage,
  standing: ShardReceipt,
  own: Storage,
  receipt: ShardReceipt,
): Promise<{ readonly lost: readonly string[]; readonly changed: readonly string[] }> {
  const [lost, changed]: [string[], string[]] = [[], []];
  const others = imagesOf(own, receipt);
  try {
    for await (const image of imagesOf(storage, standing)) {
      const other = (await others.next()).value;
      if (image.status !== 'ok' || other === undefined) continue;
      if (other.status !== 'ok') lost.push(image.sampleId);
      else if (other.sha256 !== image.sha256) changed.push(image.sampleId);
    }
  } finally {
    await others.return(undefined);
  }
  return { lost, changed };
}

function namesOf(samples: readonly string[]): string {
  const shown = samples.slice(0, 3).map(name => `'${name}'`);
  return `${shown.join(', ')}${samples.length > shown.length ? ` and ${samples.length - shown.length} more` : ''}`;
}

interface ReadImage {
  readonly sampleId: string;
  readonly status: unknown;
  readonly sha256: unknown;
}

async function* imagesOf(storage: Storage, { files }: ShardReceipt): AsyncGenerator<ReadImage, undefined> {
  const [file] = files;
  if (file === undefined) return undefined;
  for await (const batch of readPartFile(storage.root, file, ['sample_id', 'status', 'sha256'])) {
    const [ids, status, sha256] = ['sample_id', 'status', 'sha256'].map(name => batch.getChild(name));
    for (let row = 0; row < batch.numRows; row++)
      yield { sampleId: String(ids?.get(row)), status: status?.get(row), sha256: sha256?.get(row) };
  }
  return undefined;
}

async function addToShard(
  storage: Storage,
  run: RunRecord,
  before: ShardReceipt,
  added: { readonly storage: Storage; readonly receipt: ShardReceipt },
  hashes: FileHashes,
): Promise<void> {
  const [source] = before.files;
  const [extra] = added.receipt.files;
  if (source === undefined || extra === undefined)
    throw new Error(`Expected a part in the receipts of shard ${before.shard}`);
  await requireUndamaged(added.storage, extra, hashes);
  const schema = rowSchema(run, allVersions([before, added.receipt]));
  const part = await openPart(storage, run, before.shard, schema);
  const batches = readPartFile(added.storage.root, extra);
  try {
    const rows = openRowReader(batches);
    const names = new Set<string>();
    let notFinite = 0;
    for await (const batch of slicesOf(readPartFile(storage.root, source), run.request.batch)) {
      const merged = withColumns(schema, batch, await rows.take(batch.numRows));
      for (const name of merged.added) names.add(name);
      notFinite += merged.notFinite;
      await part.write(merged.batch);
    }
    const after: ShardReceipt = {
      ...before,
      fingerprint: run.fingerprint,
      // Receipts of old count none, and then nobody may.
      ...(before.warnings && { warnings: sumOfWarnings(before.warnings, added.receipt, notFinite) }),
      files: [...(await part.finish())],
      added: [...(before.added ?? []), { columns: [...names], ...doingOf(added.receipt) }],
    };
    await replaceReceipts(storage, run, [after], part);
    // Of a shared file nothing is left in the end, and the end of the run removes it.
    await removeReplaced(storage, before.files, after.files);
  } finally {
    // Read to the last row, but not to its end: the file is still open.
    await batches.return(undefined);
    await part.abort();
  }
}

/** A part may hold far more rows in a batch than there is memory for once the new columns stand beside. */
async function* slicesOf(batches: AsyncIterable<RecordBatch>, rows: number): AsyncGenerator<RecordBatch> {
  for await (const batch of batches)
    for (let first = 0; first < batch.numRows; first += rows) yield batch.slice(first, first + rows);
}

/** @param notFinite vectors of the added parts with such a value, among them those that only overflowed in float16 */
function sumOfWarnings(
  before: Readonly<Record<string, number>>,
  { warnings = {} }: ShardReceipt,
  notFinite: number,
): Record<string, number> {
  const sum = { ...before };
  addCounts(sum, { ...warnings, 'not-finite': Math.max(0, notFinite - (warnings['float16-overflow'] ?? 0)) });
  return sum;
}
