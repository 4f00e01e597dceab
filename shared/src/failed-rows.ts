// Which rows of a shard failed, from its part. For the plan of a retry and for putting its rows in place.
import { readPartFile } from './part-reader.ts';
import type { ShardReceipt } from './receipt.ts';
import type { Storage } from './storage.ts';

export interface FailedRow {
  /** Position in the shard. */
  readonly row: number;
  readonly sampleId: string;
}

/** In their order. @param codes only rows of these; all failed rows where it is empty */
export async function failedRows(
  storage: Storage,
  receipt: ShardReceipt,
  codes: ReadonlySet<string>,
): Promise<readonly FailedRow[]> {
  const wanted = (code: string): boolean => codes.size === 0 || codes.has(code);
  const [file] = receipt.files;
  // The receipt knows without its part being opened.
  if (file === undefined || !Object.keys(receipt.failures).some(wanted)) return [];
  const rows: FailedRow[] = [];
  let row = 0;
  for await (const batch of readPartFile(storage.root, file, ['sample_id', 'error_code'])) {
    const code = batch.getChild('error_code');
    const id = batch.getChild('sample_id');
    for (let index = 0; index < batch.numRows; index++, row++) {
      const value: unknown = code?.get(index);
      if (typeof value === 'string' && wanted(value)) rows.push({ row, sampleId: String(id?.get(index)) });
    }
  }
  return rows;
}
