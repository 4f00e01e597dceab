// Puts other rows in the place of some of a batch; all others keep their values bit for bit.

import { type Data, type Field, makeData, RecordBatch, type Schema, Struct, type Vector } from 'apache-arrow';
import { columnOf, valueAt } from '../../../shared/src/carried-types.ts';
import { isOk, okRows } from '../../../shared/src/row-schema.ts';
import { featureData, featureOfField, sizeOfShape } from '../../../shared/src/tensor.ts';

export interface RowOfBatch {
  readonly batch: RecordBatch;
  readonly index: number;
  /** In the place of its own `error_message`. */
  readonly message?: string;
}

/** @param schema of the run's rows: that of the result @param others by position in the batch */
export function mergeRows(schema: Schema, batch: RecordBatch, others: ReadonlyMap<number, RowOfBatch>): RecordBatch {
  const children = schema.fields.map((field, column): Data => {
    const vector = vectorOf(batch, column);
    const standing = vector.data[0];
    if (standing === undefined || String(standing.type) !== String(field.type))
      throw new Error(`Expected ${field.type} in column '${field.name}' but it is ${vector.type}`);
    if (others.size === 0) return standing;
    const feature = featureOfField(field);
    if (feature === undefined) return mergePlain(field, vector, column, others);
    return mergeFeatures(field, batch, column, sizeOfShape(feature.shape), others);
  });
  const type = new Struct(schema.fields);
  return new RecordBatch(schema, makeData({ type, length: batch.numRows, nullCount: 0, children }));
}

function mergePlain(field: Field, vector: Vector, column: number, others: ReadonlyMap<number, RowOfBatch>): Data {
  const values = Array.from({ length: vector.length }, (_, row): unknown => {
    const other = others.get(row);
    if (other === undefined) return valueAt(vector, row);
    if (other.message !== undefined && field.name === 'error_message') return other.message;
    return valueAt(vectorOf(other.batch, column), other.index);
  });
  return columnOf(field.type, values);
}

/** The values are copied as they lie, float16 too: nothing is decoded. */
function mergeFeatures(
  field: Field,
  batch: RecordBatch,
  column: number,
  size: number,
  others: ReadonlyMap<number, RowOfBatch>,
): Data {
  const values = valuesOf(batch, column, size).slice();
  const present = okRows(batch);
  for (const [row, { batch: other, index }] of others) {
    present[row] = isOk(other, index);
    if (present[row]) values.set(valuesOf(other, column, size).subarray(index * size, (index + 1) * size), row * size);
    else values.fill(0, row * size, (row + 1) * size);
  }
  return featureData(field, values, present);
}

function valuesOf(batch: RecordBatch, column: number, size: number): Float32Array | Uint16Array {
  const [list] = vectorOf(batch, column).data;
  if (list === undefined) throw new Error('Expected one chunk');
  const values: unknown = list.children[0]?.values;
  if (!(values instanceof Float32Array) && !(values instanceof Uint16Array))
    throw new Error(`Expected float32 or float16 in a feature but it is ${list.type}`);
  return values.subarray(0, list.length * size);
}

function vectorOf(batch: RecordBatch, column: number): Vector {
  const vector = batch.getChildAt(column);
  if (vector === null) throw new Error(`Expected a column ${column}`);
  return vector;
}
