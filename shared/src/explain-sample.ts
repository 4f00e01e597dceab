// The history of one sample: where it stands in the manifest, who did its shard and when, and what its row says.
import type { RecordBatch } from 'apache-arrow';
import { type CarriedValue, showCarried } from './carried-types.ts';
import type { Sample } from './manifest.ts';
import { openManifestReader } from './manifest-reader.ts';
import { readPartFile } from './part-reader.ts';
import type { ShardReceipt } from './receipt.ts';
import { type RunRecord, readReceipt, shardRange } from './run.ts';
import type { Storage } from './storage.ts';
import { featureOfField } from './tensor.ts';

export interface SampleHistory {
  readonly sampleId: string;
  readonly uri: string;
  /** Times, durations, decimals and bytes as text. */
  readonly carried: Readonly<Record<string, CarriedValue>>;
  /** In the manifest. */
  readonly row: number;
  readonly shard: number;
  readonly rowInShard: number;
  /** `undone` while its shard has no receipt. */
  readonly state: 'ok' | 'failed' | 'undone';
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Of the image file, as the worker read it. */
  readonly image: {
    readonly sha256: string | null;
    readonly width: number | null;
    readonly height: number | null;
  } | null;
  /** The parts that hold its row. */
  readonly files: readonly { readonly path: string; readonly row: number }[];
  readonly features: readonly { readonly column: string; readonly shape: readonly number[]; readonly there: boolean }[];
  /** Of its shard. */
  readonly done: Pick<
    ShardReceipt,
    'attempt' | 'worker' | 'cpu' | 'versions' | 'finishedAt' | 'seconds' | 'totalSeconds' | 'warnings'
  > | null;
  /** Each time that this row was done again. */
  readonly retries: readonly Omit<NonNullable<ShardReceipt['retries']>[number], 'rows'>[];
  /** Columns that its shard got later. */
  readonly added: NonNullable<ShardReceipt['added']>;
}

/** Undefined where the manifest has no sample of that id, nor one of that uri. */
export async function explainSample(
  storage: Storage,
  run: RunRecord,
  name: string,
): Promise<SampleHistory | undefined> {
  const found = await findSample(storage, run, name);
  if (found === undefined) return undefined;
  const { sample, row } = found;
  const shard = Math.floor(row / run.shardSize);
  const rowInShard = row - shardRange(run, shard).first;
  const receipt = await readReceipt(storage, run, shard);
  const place = {
    sampleId: sample.sampleId,
    uri: sample.uri,
    carried: Object.fromEntries(
      run.carried.map(({ name, type }, index) => [name, readable(type, sample.carried[index] ?? null)]),
    ),
    ...{ row, shard, rowInShard },
  };
  if (receipt === undefined)
    return {
      ...place,
      ...{ state: 'undone', error: null, image: null, files: [], features: [], done: null, retries: [], added: [] },
    };
  const { attempt, worker, cpu, versions, finishedAt, seconds, totalSeconds, warnings } = receipt;
  return {
    ...place,
    ...(await readRow(storage, receipt, rowInShard)),
    files: receipt.files.map(({ path, range }) => ({ path, row: (range?.first ?? 0) + rowInShard })),
    done: { attempt, worker, cpu, versions, finishedAt, seconds, totalSeconds, ...(warnings && { warnings }) },
    retries: (receipt.retries ?? [])
      .filter(({ rows }) => rows.includes(rowInShard))
      .map(({ rows: _, ...retry }) => retry),
    added: receipt.added ?? [],
  };
}

function readable(type: string, value: CarriedValue): CarriedValue {
  const isPlain = /^(?:utf8|bool|u?int\d+|float\d+)$/.test(type);
  return value === null || isPlain ? value : showCarried(type, value);
}

async function findSample(
  storage: Storage,
  run: RunRecord,
  name: string,
): Promise<{ readonly sample: Sample; readonly row: number } | undefined> {
  let byUri: { readonly sample: Sample; readonly row: number } | undefined;
  let row = 0;
  for await (const sample of openManifestReader(storage, run.runId).read(0, run.manifest.rows)) {
    if (sample.sampleId === name) return { sample, row };
    if (sample.uri === name) byUri ??= { sample, row };
    row++;
  }
  return byUri;
}

async function readRow(
  storage: Storage,
  receipt: ShardReceipt,
  row: number,
): Promise<Pick<SampleHistory, 'state' | 'error' | 'image' | 'features'>> {
  const [file] = receipt.files;
  let first = 0;
  if (file !== undefined) {
    for await (const batch of readPartFile(storage.root, file)) {
      if (row < first + batch.numRows) return rowOf(batch, row - first);
      first += batch.numRows;
    }
  }
  throw new Error(`Expected row ${row} in ${file?.path ?? 'a part'} but it has ${first}: run \`npx layertap verify\``);
}

function rowOf(batch: RecordBatch, index: number): Pick<SampleHistory, 'state' | 'error' | 'image' | 'features'> {
  const value = (name: string): unknown => batch.getChild(name)?.get(index) ?? null;
  const failed = value('status') === 'failed';
  return {
    state: failed ? 'failed' : 'ok',
    error: failed ? { code: String(value('error_code')), message: String(value('error_message')) } : null,
    image: {
      sha256: value('sha256') as string | null,
      width: value('width') as number | null,
      height: value('height') as number | null,
    },
    features: batch.schema.fields.flatMap(field => {
      const feature = featureOfField(field);
      return feature === undefined ? [] : [{ column: field.name, shape: feature.shape, there: !failed }];
    }),
  };
}
