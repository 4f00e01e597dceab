// A small run directory made by the real writers but without a model: features whose values a test can tell from the row.
import { join } from 'node:path';
import { openPart, publishReceipt } from '../../services/worker/src/publish.ts';
import { encodeRows, type Row } from '../../services/worker/src/serialize.ts';
import type { CarriedValue } from '../../shared/src/carried-types.ts';
import type { SampleFailure } from '../../shared/src/errors.ts';
import { fingerprintOf } from '../../shared/src/fingerprint.ts';
import { finishRun } from '../../shared/src/finish-run.ts';
import type { CarriedColumn, Sample } from '../../shared/src/manifest.ts';
import { openManifestWriter } from '../../shared/src/manifest-writer.ts';
import { noSeconds, type PartFile, type ShardReceipt } from '../../shared/src/receipt.ts';
import { Recipe } from '../../shared/src/recipe.ts';
import type { ExtractRequest, Format } from '../../shared/src/request.ts';
import { rowSchema } from '../../shared/src/row-schema.ts';
import { createRun, type RunRecord, shardRange } from '../../shared/src/run.ts';
import type { Storage } from '../../shared/src/storage.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { type FeatureSpec, sizeOfShape, type TensorData } from '../../shared/src/tensor.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface SmallRunOptions {
  /** @default 10 */
  readonly rows?: number;
  /** @default 4 */
  readonly shardSize?: number;
  /** @default 'parquet' */
  readonly format?: Format;
  /** @default one of shape [4, 4, 8] and one of shape [16] */
  readonly columns?: readonly FeatureSpec[];
  /** Rows without features. @default none */
  readonly failedRows?: readonly number[];
  readonly request?: Partial<ExtractRequest>;
  /** 1 as runs of earlier versions have it. @default 2 */
  readonly partSchema?: 1 | 2;
}

export interface SmallRun {
  readonly root: string;
  readonly storage: Storage;
  readonly run: RunRecord;
  readonly samples: readonly Sample[];
  readonly failedRows: ReadonlySet<number>;
  /** Of every image. @default another one for each */
  readonly sha256?: string;
  /** Of the failed rows. @default FAILURE */
  readonly failure?: SampleFailure;
}

export const TWO_COLUMNS: readonly FeatureSpec[] = [
  { name: 'block/conv', dtype: 'float32', shape: [4, 4, 8] },
  { name: 'avg_pool', dtype: 'float32', shape: [16] },
];

/** One carried column of every type. */
export const CARRIED: readonly CarriedColumn[] = [
  { name: 'label', type: 'utf8' },
  { name: 'taken_at', type: 'int64' },
  { name: 'weight', type: 'float64' },
  { name: 'checked', type: 'bool' },
];

export const RECIPE: Recipe = Recipe.parse({ width: 8, height: 8, scale: 1 / 255 });

export const FAILURE: SampleFailure = { code: 'corrupt-image', message: 'ends before its last row' };

/** Exact in float32, and different for every row, column and element. */
export function featureValue(row: number, column: number, index: number): number {
  return row * 1024 + index * 0.25 + column * 0.0625;
}

/** Every third value is null; integers are beyond what a double holds, and text is beyond ASCII. */
export function carriedOf(row: number): readonly CarriedValue[] {
  return [
    row % 3 === 0 ? null : `Klasse ${row % 5} ✓`,
    row % 3 === 1 ? null : 9_007_199_254_740_993n + BigInt(row),
    row % 3 === 2 ? null : row / 3,
    row % 3 === 0 ? null : row % 2 === 0,
  ];
}

export function requestOf(columns: readonly FeatureSpec[], fields: Partial<ExtractRequest> = {}): ExtractRequest {
  return {
    model: '/models/demo.json',
    modelSha256: 'ab'.repeat(32),
    layers: columns.map(({ name }) => name),
    pool: 'none',
    dtype: 'float32',
    recipe: RECIPE,
    recipeOrigin: 'flags',
    engine: 'onnx',
    batch: 3,
    format: 'parquet',
    ...fields,
  };
}

export function runOf(options: SmallRunOptions = {}): RunRecord {
  const { rows = 10, shardSize = 4, format = 'parquet', columns = TWO_COLUMNS } = options;
  const request = requestOf(columns, { format, ...options.request });
  return {
    version: 1,
    runId: 'run-0123456789ab',
    createdAt: '2026-01-02T03:04:05.000Z',
    source: '/photos',
    request,
    fingerprint: fingerprintOf(request),
    columns: columns.map(({ name, dtype, shape }) => ({ name, dtype, shape: [...shape] })),
    carried: [...CARRIED],
    manifest: { rows, digest: '' },
    shardSize,
    shards: Math.ceil(rows / shardSize),
    ...(options.partSchema !== 1 && { partSchema: 2 as const }),
    versions: { layertap: '0.0.0', node: '20.20.2' },
  };
}

export function sampleOf(row: number): Sample {
  const sampleId = `class ${row % 5}/${String(row).padStart(4, '0')} ü.jpg`;
  return { sampleId, uri: `/photos/${sampleId}`, carried: carriedOf(row) };
}

/** Writes the manifest and run.json; no shard is done yet. */
export async function createSmallRun(root: string, options: SmallRunOptions = {}): Promise<SmallRun> {
  const storage = openFileStorage(root);
  const planned = runOf(options);
  const samples = Array.from({ length: planned.manifest.rows }, (_, row) => sampleOf(row));
  const writer = openManifestWriter(storage, planned.runId, planned.carried);
  for (const sample of samples) await writer.add(sample);
  const run = { ...planned, manifest: await writer.close() };
  await createRun(storage, run);
  return { root, storage, run, samples, failedRows: new Set(options.failedRows ?? []) };
}

/** Rows of the manifest as the decoder would hand them on. */
export function rowsOf(small: SmallRun, first: number, count: number): readonly Row[] {
  return small.samples.slice(first, first + count).map((sample, index): Row => {
    const failed = small.failedRows.has(first + index);
    return {
      sample,
      sha256: small.sha256 ?? (first + index).toString(16).padStart(64, '0'),
      size: failed ? null : { width: 640 + first + index, height: 480 },
      failure: failed ? (small.failure ?? FAILURE) : undefined,
    };
  });
}

/** One tensor per column; `shift` is added to every value, as if another machine had computed it. */
export function featuresOf(run: RunRecord, first: number, count: number, shift = 0): readonly TensorData[] {
  return run.columns.map(({ shape }, column) => {
    const size = sizeOfShape(shape);
    const data = Float32Array.from({ length: count * size }, (_, at) => {
      return featureValue(first + Math.floor(at / size), column, at % size) + shift;
    });
    return { dtype: 'float32', shape: [count, ...shape], data };
  });
}

/** Writes a shard's part in batches of the request, without a receipt. */
export async function publishPart(small: SmallRun, shard: number, shift = 0): Promise<readonly PartFile[]> {
  const { storage, run } = small;
  const schema = rowSchema(run);
  const range = shardRange(run, shard);
  const part = await openPart(storage, run, shard, schema);
  for (let at = 0; at < range.rows; at += run.request.batch) {
    const count = Math.min(run.request.batch, range.rows - at);
    const first = range.first + at;
    await part.write(
      encodeRows(schema, run.columns, rowsOf(small, first, count), featuresOf(run, first, count, shift)),
    );
  }
  return part.publish();
}

export function receiptOf(small: SmallRun, shard: number, files: readonly PartFile[], worker = 'a'): ShardReceipt {
  const { first, rows } = shardRange(small.run, shard);
  const failed = [...small.failedRows].filter(row => row >= first && row < first + rows).length;
  return {
    version: 1,
    shard,
    fingerprint: small.run.fingerprint,
    rows,
    ok: rows - failed,
    failed,
    failures: failed === 0 ? {} : { [(small.failure ?? FAILURE).code]: failed },
    files: [...files],
    seconds: { ...noSeconds(), read: 0.25, infer: 0.5 },
    totalSeconds: 2,
    attempt: 1,
    worker: { host: 'machine', name: worker, pid: 1 },
    versions: { node: '20.20.2' },
    cpu: 'test',
    finishedAt: new Date(Date.UTC(2026, 0, 2, 3, 4, 5 + 2 * shard)).toISOString(),
  };
}

/** Part, then receipt, as a worker does it. */
export async function publishShard(small: SmallRun, shard: number, worker = 'a', shift = 0): Promise<ShardReceipt> {
  const files = await publishPart(small, shard, shift);
  return publishReceipt(small.storage, small.run, receiptOf(small, shard, files, worker));
}

export async function publishShards(small: SmallRun): Promise<void> {
  for (let shard = 0; shard < small.run.shards; shard++) await publishShard(small, shard);
}

/** Paths of the run directory that are there, sorted. */
export async function pathsIn(storage: Storage, directory: string): Promise<readonly string[]> {
  const paths: string[] = [];
  for await (const path of storage.list(directory)) paths.push(path);
  return paths.sort();
}

/** A run with all shards done and its summary, in a folder `out` of a temporary one. */
export async function finishedSmallRun(options: SmallRunOptions): Promise<SmallRun> {
  const small = await createSmallRun(join(await temporaryFolder(), 'out'), options);
  await publishShards(small);
  await finishRun(small.storage, small.run);
  return small;
}
