// Makes the runs that the readers are tried on: of vectors and tensors, with none, some and all rows failed.
import { join } from 'node:path';
import { finishRun } from '../../shared/src/finish-run.ts';
import { decodeHalf, encodeHalf } from '../../shared/src/half-float.ts';
import { type FeatureSpec, sizeOfShape } from '../../shared/src/tensor.ts';
import { carriedOf, createSmallRun, featureValue, publishShards, type SmallRun } from '../support/small-run.ts';

const ROWS = 12;
const FAILED = { none: [], some: [0, 5, 8, 9, 10, 11], all: Array.from({ length: ROWS }, (_, row) => row) } as const;
export type Failed = keyof typeof FAILED;

export interface Kind {
  readonly name: string;
  readonly spec: FeatureSpec;
  readonly tensors?: 'plain';
}

export const KINDS: readonly Kind[] = [
  { name: 'vector', spec: { name: 'pool/mean', dtype: 'float32', shape: [8] } },
  { name: 'tensor', spec: { name: 'block/conv', dtype: 'float32', shape: [2, 2, 3] } },
  { name: 'plain tensor', spec: { name: 'block/conv', dtype: 'float32', shape: [2, 2, 3] }, tensors: 'plain' },
  { name: 'float16 vector', spec: { name: 'pool/mean', dtype: 'float16', shape: [8] } },
];

export interface MadeRun {
  readonly small: SmallRun;
  readonly kind: Kind;
  readonly failed: Failed;
  readonly root: string;
}

export async function makeRuns(folder: string): Promise<readonly MadeRun[]> {
  const runs: MadeRun[] = [];
  for (const kind of KINDS) {
    for (const failed of Object.keys(FAILED) as Failed[]) {
      const root = join(folder, `${kind.name}-${failed}`.replaceAll(' ', '-'));
      const small = await createSmallRun(root, {
        rows: ROWS,
        shardSize: 4,
        columns: [kind.spec],
        failedRows: FAILED[failed],
        request: { dtype: kind.spec.dtype, ...(kind.tensors && { tensors: kind.tensors }) },
      });
      await publishShards(small);
      await finishRun(small.storage, small.run);
      runs.push({ small, kind, failed, root });
    }
  }
  return runs;
}

/** What a reader must give: the rows that are ok, of that label. */
export function expectedOf(
  { small, kind }: MadeRun,
  label: string | undefined,
): {
  readonly ids: readonly string[];
  readonly values: readonly (readonly number[])[];
} {
  const rows = small.samples
    .map((_, row) => row)
    .filter(row => !small.failedRows.has(row) && (label === undefined || carriedOf(row)[0] === label));
  const values = rows.map(row => {
    const exact = Float32Array.from({ length: sizeOfShape(kind.spec.shape) }, (_, at) => featureValue(row, 0, at));
    return [...(kind.spec.dtype === 'float16' ? decodeHalf(encodeHalf(exact)) : exact)];
  });
  return { ids: rows.map(row => small.samples[row]?.sampleId ?? ''), values };
}
