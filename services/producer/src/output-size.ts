// How large a run's output will be, and whether there is room for it: known before the first job.
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatBytes } from '../../../shared/src/byte-size.ts';
import { hasErrorCode, Refusal } from '../../../shared/src/errors.ts';
import { type Format, formatsOf } from '../../../shared/src/request.ts';
import { bytesPerRow, type FeatureSpec } from '../../../shared/src/tensor.ts';

/** A row without its features: id, uri, hash, size and status, in the part and in the manifest. */
export const ROW_BYTES = 300;

/** Bytes of the parts before compression, which features hardly allow: an upper bound for Parquet, the size for Arrow. */
export function outputBytes(columns: readonly FeatureSpec[], rows: number, format: Format): number {
  const features = columns.reduce((sum, column) => sum + bytesPerRow(column), 0);
  return (features + ROW_BYTES) * rows * formatsOf(format).length;
}

export interface OutputLimit {
  readonly out: string;
  /** Bytes, or none; the free bytes of the output's file system where it is not given. */
  readonly maxOutput: number | 'none' | undefined;
  /** What to do where there is no room. @default how to make a run smaller */
  readonly hint?: string;
}

const SMALLER =
  'Make it smaller with --pool, --dtype float16, fewer layers or --limit, see what each layer takes with `npx layertap estimate`, or give another --max-output (`none` does not look).';

/** @throws Refusal `output-unwritable` where `bytes` are more than the limit */
export async function requireRoom(
  bytes: number,
  rows: number,
  { out, maxOutput, hint = SMALLER }: OutputLimit,
): Promise<void> {
  if (maxOutput === 'none') return;
  const limit = maxOutput ?? (await freeBytes(out));
  if (limit === undefined || bytes <= limit) return;
  const bound =
    maxOutput === undefined
      ? `the file system of '${out}' has ${formatBytes(limit)} free`
      : `--max-output allows ${formatBytes(limit)}`;
  throw new Refusal(
    'output-unwritable',
    `Expected room for about ${formatBytes(bytes)} of features of ${rows} images but ${bound}`,
    { hint },
  );
}

/** Undefined where the file system does not say. */
async function freeBytes(path: string): Promise<number | undefined> {
  try {
    const { bavail, blocks, bsize } = await statfs(path);
    // Some network and FUSE file systems report no blocks at all.
    return blocks === 0 ? undefined : bavail * bsize;
  } catch (error) {
    const parent = dirname(path);
    return hasErrorCode(error, 'ENOENT') && parent !== path ? freeBytes(parent) : undefined;
  }
}
