// The manifest: the ordered list of all samples of a run, written before the first job, read shard by shard.
import { Bool, type DataType, Field, Float64, Int64, Schema, Utf8 } from 'apache-arrow';

/** Types of carried columns: label and whatever else the source's list has. */
export const CARRIED_TYPES = ['utf8', 'int64', 'float64', 'bool'] as const;
export type CarriedType = (typeof CARRIED_TYPES)[number];
export type CarriedValue = string | bigint | number | boolean | null;

export interface CarriedColumn {
  readonly name: string;
  readonly type: CarriedType;
}

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

const ARROW_TYPES: Readonly<Record<CarriedType, () => DataType>> = {
  utf8: () => new Utf8(),
  int64: () => new Int64(),
  float64: () => new Float64(),
  bool: () => new Bool(),
};

export function carriedField(column: CarriedColumn): Field {
  return new Field(column.name, ARROW_TYPES[column.type](), true);
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
