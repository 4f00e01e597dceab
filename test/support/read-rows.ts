// Reads a run's rows back through its receipts, as plain values keyed by sample id.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import { readPartFile } from '../../shared/src/part-reader.ts';
import type { PartFile } from '../../shared/src/receipt.ts';
import { isOk } from '../../shared/src/row-schema.ts';
import { openRun, readReceipts } from '../../shared/src/run.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { decodeTensor, featureOfField } from '../../shared/src/tensor.ts';

export interface ReadRow {
  /** All columns but those of layers. */
  readonly values: Readonly<Record<string, unknown>>;
  /** One entry per layer; null where the row failed. */
  readonly features: Readonly<Record<string, Float32Array | null>>;
}

/** Every row, in the order of the manifest; throws where two rows have one id. */
export async function readRows(out: string, format: PartFile['format'] = 'parquet'): Promise<Map<string, ReadRow>> {
  const storage = openFileStorage(out);
  const rows = new Map<string, ReadRow>();
  for await (const receipt of readReceipts(storage, await openRun(storage))) {
    for (const file of receipt.files.filter(part => part.format === format)) {
      for await (const batch of readPartFile(out, file)) {
        for (let index = 0; index < batch.numRows; index++) {
          const row = readRow(batch, index);
          const id = String(row.values.sample_id);
          if (rows.has(id)) throw new Error(`Two rows of '${id}'`);
          rows.set(id, row);
        }
      }
    }
  }
  return rows;
}

/** One hash per row over all of its values, to the last bit: to compare whole runs. */
export async function rowDigests(
  out: string,
  format: PartFile['format'] = 'parquet',
): Promise<Readonly<Record<string, string>>> {
  return digestsOf(await readRows(out, format));
}

export function digestsOf(rows: ReadonlyMap<string, ReadRow>): Readonly<Record<string, string>> {
  return Object.fromEntries([...rows].map(([id, row]) => [id, digestOf(row)]));
}

function digestOf({ values, features }: ReadRow): string {
  const hash = createHash('sha256').update(
    JSON.stringify(values, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)),
  );
  for (const [name, feature] of Object.entries(features)) {
    hash.update(name);
    if (feature !== null) hash.update(new Uint8Array(feature.buffer, feature.byteOffset, feature.byteLength));
  }
  return hash.digest('hex');
}

export async function readJson<T>(...path: readonly string[]): Promise<T> {
  return JSON.parse(await readFile(join(...path), 'utf8')) as T;
}

function readRow(batch: RecordBatch, index: number): ReadRow {
  const values: Record<string, unknown> = {};
  const features: Record<string, Float32Array | null> = {};
  for (const [column, field] of batch.schema.fields.entries()) {
    const vector = batch.getChildAt(column);
    if (featureOfField(field) === undefined) values[field.name] = vector?.get(index);
    else {
      // A copy: the batch's memory may be that of the next one.
      const row = isOk(batch, index) ? vector?.slice(index, index + 1) : undefined;
      features[field.name] = row === undefined ? null : decodeTensor(field, row).data.slice();
    }
  }
  return { values, features };
}
