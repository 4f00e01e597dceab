// Rows and features of one batch as an Arrow record batch of the run's row schema.
import { type Data, makeData, RecordBatch, type Schema, Struct } from 'apache-arrow';
import { columnOf } from '../../../shared/src/carried-types.ts';
import type { SampleFailure } from '../../../shared/src/errors.ts';
import type { Sample } from '../../../shared/src/manifest.ts';
import { ROW_COLUMNS } from '../../../shared/src/row-schema.ts';
import { encodeTensor, type FeatureSpec, type TensorData } from '../../../shared/src/tensor.ts';

/** One sample after decoding: what its row says besides the features. */
export interface Row {
  readonly sample: Sample;
  /** Of the file's bytes; null when they could not be read. */
  readonly sha256: string | null;
  readonly size: { readonly width: number; readonly height: number } | null;
  /** Undefined for an `ok` row. */
  readonly failure: SampleFailure | undefined;
}

/** @param features one tensor per feature column, [rows, …shape]; values of failed rows are ignored */
export function encodeRows(
  schema: Schema,
  columns: readonly FeatureSpec[],
  rows: readonly Row[],
  features: readonly TensorData[],
): RecordBatch {
  const present = rows.map(row => row.failure === undefined);
  const carriedCount = schema.fields.length - ROW_COLUMNS.length - columns.length;
  const values: readonly (readonly unknown[])[] = [
    rows.map(row => row.sample.sampleId),
    rows.map(row => row.sample.uri),
    rows.map(row => row.sha256),
    rows.map(row => row.size?.width ?? null),
    rows.map(row => row.size?.height ?? null),
    present.map(ok => (ok ? 'ok' : 'failed')),
    rows.map(row => row.failure?.code ?? null),
    rows.map(row => row.failure?.message ?? null),
    ...Array.from({ length: carriedCount }, (_, column) => rows.map(row => row.sample.carried[column] ?? null)),
  ];
  const plain = values.map((column, index): Data => {
    const field = schema.fields[index];
    if (field === undefined) throw new Error(`Expected a field ${index} in the row schema`);
    return columnOf(field.type, column);
  });
  const tensors = columns.map((column, index): Data => {
    const tensor = features[index];
    const field = schema.fields[schema.fields.length - columns.length + index];
    if (tensor === undefined || field === undefined) throw new Error(`Expected features for column '${column.name}'`);
    return encodeTensor(tensor, field, present);
  });
  const children = [...plain, ...tensors];
  const data = makeData({ type: new Struct(schema.fields), length: rows.length, nullCount: 0, children });
  return new RecordBatch(schema, data);
}
