// The manifest: the ordered list of all samples of a run, written before the first job, read shard by shard.
import { Field, Schema, Utf8 } from 'apache-arrow';
import { z } from 'zod';
import { arrowTypeOf, type CarriedValue } from './carried-types.ts';

/** A column that comes with the samples: label and whatever else the source's list has. */
export const CarriedColumn = z.strictObject({
  name: z.string(),
  /** As PyArrow writes it: see carried-types.ts. */
  type: z.string().refine(name => arrowTypeOf(name) !== undefined, 'a type of carried columns'),
});
export type CarriedColumn = Readonly<z.output<typeof CarriedColumn>>;

/** One image of the manifest. */
export interface Sample {
  readonly sampleId: string;
  /** Where the bytes are: an absolute path. */
  readonly uri: string;
  /** Values of the carried columns, in their order. */
  readonly carried: readonly CarriedValue[];
}

/** Rows of one manifest file; a reader holds one file in memory. */
export const MANIFEST_FILE_ROWS = 65_536;
/** Rows of one record batch inside a manifest file: the step of random access. */
export const MANIFEST_BATCH_ROWS = 1_024;

export function carriedField({ name, type }: CarriedColumn): Field {
  const arrow = arrowTypeOf(type);
  if (arrow === undefined) throw new Error(`Expected a type of carried columns for '${name}' but it is ${type}`);
  return new Field(name, arrow, true);
}

export function manifestSchema(carried: readonly CarriedColumn[]): Schema {
  return new Schema([
    new Field('sample_id', new Utf8(), false),
    new Field('uri', new Utf8(), false),
    ...carried.map(carriedField),
  ]);
}

/** Folder of a run's manifest: two producers in one directory never write the same file. */
export function manifestFolder(runId: string): string {
  return `manifest/${runId}`;
}

/** Path of the manifest file that holds a row. */
export function manifestPath(runId: string, row: number): string {
  const file = Math.floor(row / MANIFEST_FILE_ROWS);
  return `${manifestFolder(runId)}/${String(file).padStart(6, '0')}.arrow`;
}
