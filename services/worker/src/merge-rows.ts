// Puts other rows in the place of some of a batch; all others keep their values bit for bit.
import {
  type Data,
  type Field,
  makeData,
  RecordBatch,
  type Schema,
  Struct,
  type Vector,
  vectorFromArray,
} from 'apache-arrow';
import { type FeatureType, featureData, featureOfField, sizeOfShape } from '../../../shared/src/tensor.ts';

export interface RowOfBatch {
  readonly batch: RecordBatch;
  readonly index: number;
  /** In the place of its own `error_message`. */
  readonly message?: string;
}

/** @param schema of the run's rows: that of the result @param others by position in the batch */
export function mergeRows(schema: Schema, batch: RecordBatch, others: ReadonlyMap<number, RowOfBatch>): RecordBatch {
  const children = schema.fields.map((field, column): Data => {
    const vector = columnOf(batch, column);
    const standing = vector.data[0];
    if (standing === undefined || String(standing.type) !== String(field.type))
      throw new Error(`Expected ${field.type} in column '${field.name}' but it is ${vector.type}`);
    if (others.size === 0) return standing;
    const feature = featureOfField(field);
    if (feature === undefined) return mergePlain(field, vector, column, others);
    return mergeFeatures(standing, sizeOfShape(feature.shape), column, others);
  });
  const type = new Struct(schema.fields);
  return new RecordBatch(schema, makeData({ type, length: batch.numRows, nullCount: 0, children }));
}

function mergePlain(field: Field, vector: Vector, column: number, others: ReadonlyMap<number, RowOfBatch>): Data {
  const values = Array.from({ length: vector.length }, (_, row): unknown => {
    const other = others.get(row);
    if (other === undefined) return vector.get(row);
    if (other.message !== undefined && field.name === 'error_message') return other.message;
    return columnOf(other.batch, column).get(other.index);
  });
  const [data] = vectorFromArray(values, field.type).data;
  if (data === undefined) throw new Error('Expected one chunk');
  return data;
}

/** The values are copied as they lie, float16 too: nothing is decoded. */
function mergeFeatures(standing: Data, size: number, column: number, others: ReadonlyMap<number, RowOfBatch>): Data {
  const values = valuesOf(standing, size).slice();
  const present = Array.from({ length: standing.length }, (_, row) => standing.getValid(row));
  for (const [row, { batch, index }] of others) {
    const vector = columnOf(batch, column);
    const [data] = vector.data;
    if (data === undefined) throw new Error('Expected one chunk');
    present[row] = vector.isValid(index);
    if (present[row]) values.set(valuesOf(data, size).subarray(index * size, (index + 1) * size), row * size);
    else values.fill(0, row * size, (row + 1) * size);
  }
  return featureData(standing.type as FeatureType, values, present);
}

function valuesOf(list: Data, size: number): Float32Array | Uint16Array {
  const values: unknown = list.children[0]?.values;
  if (!(values instanceof Float32Array) && !(values instanceof Uint16Array))
    throw new Error(`Expected float32 or float16 in a feature but it is ${list.type}`);
  return values.subarray(0, list.length * size);
}

function columnOf(batch: RecordBatch, column: number): Vector {
  const vector = batch.getChildAt(column);
  if (vector === null) throw new Error(`Expected a column ${column}`);
  return vector;
}
