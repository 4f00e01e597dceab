// TensorData to Arrow and back: values, nulls, the extension type, and sizes that do not fit.
import { makeData, makeVector, RecordBatch, Schema, Struct } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import {
  bytesPerRow,
  decodeTensor,
  encodeTensor,
  type FeatureSpec,
  featureField,
  featureOfField,
  featuresOfBatch,
  sizeOfShape,
  type TensorData,
  validityBitmap,
} from '../../shared/src/tensor.ts';

const feature: FeatureSpec = { name: 'block/conv', dtype: 'float32', shape: [2, 3] };
const vector: FeatureSpec = { name: 'avg_pool', dtype: 'float32', shape: [6] };
const field = featureField(feature);
/** As runs of earlier versions have it. */
const FIRST = { partSchema: 1, tensors: 'typed' } as const;

function tensorOf(rows: number, values?: readonly number[]): TensorData {
  const data = Float32Array.from(values ?? Array.from({ length: rows * 6 }, (_, i) => i / 4));
  return { dtype: 'float32', shape: [rows, 2, 3], data };
}

describe('a feature as a column', () => {
  it('carries the fixed shape tensor type, name and shape', () => {
    expect(field.name).toBe('block/conv');
    expect(Object.fromEntries(field.metadata)).toEqual({
      'layertap.shape': '[2,3]',
      'ARROW:extension:name': 'arrow.fixed_shape_tensor',
      'ARROW:extension:metadata': '{"shape":[2,3]}',
    });
    expect(String(field.type)).toBe('FixedSizeList[6]<Float32>');
  });

  it('of one axis, or where plain lists are wanted, has no type but its list, and its shape beside it', () => {
    const fields = [featureField(vector), featureField(feature, { partSchema: 2, tensors: 'plain' })];
    expect(fields.map(({ metadata }) => Object.fromEntries(metadata))).toEqual([
      { 'layertap.shape': '[6]' },
      { 'layertap.shape': '[2,3]' },
    ]);
    expect(fields.map(featureOfField)).toEqual([vector, feature]);
  });

  it('of the first part schema is a fixed shape tensor, whatever its shape', () => {
    for (const spec of [vector, feature]) {
      const { metadata } = featureField(spec, FIRST);
      expect(Object.fromEntries(metadata)).toEqual({
        'ARROW:extension:name': 'arrow.fixed_shape_tensor',
        'ARROW:extension:metadata': `{"shape":${JSON.stringify(spec.shape)}}`,
      });
      expect(featureOfField(featureField(spec, FIRST))).toEqual(spec);
    }
  });

  it('is nullable, and its items are too: PyArrow restores the tensor type from Parquet only then', () => {
    expect(field.nullable).toBe(true);
    expect(field.type.children[0]?.nullable).toBe(true);
  });

  it('gives the feature back', () => {
    expect(featureOfField(field)).toEqual(feature);
    expect(featureOfField(featureField({ ...feature, shape: [1] }))?.shape).toEqual([1]);
  });

  it('is told from a plain column', () => {
    const plain = featureField(feature).clone({ metadata: new Map() });
    expect(featureOfField(plain)).toBeUndefined();
    expect(() => decodeTensor(plain, makeVector(encodeTensor(tensorOf(1), field, [true])))).toThrow(
      "Expected a column of features but 'block/conv'",
    );
  });
});

describe('encodeTensor and decodeTensor', () => {
  it('keep every value, bit for bit', () => {
    const values = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45, 3.4028234663852886e38];
    const tensor = tensorOf(1, values);
    const decoded = decodeTensor(field, makeVector(encodeTensor(tensor, field, [true])));
    expect(decoded.shape).toEqual([1, 2, 3]);
    expect(new Uint32Array(decoded.data.buffer)).toEqual(new Uint32Array(tensor.data.buffer));
  });

  it('do not copy the values on the way in', () => {
    const tensor = tensorOf(2);
    expect(encodeTensor(tensor, field, [true, true]).children[0]?.values.buffer).toBe(tensor.data.buffer);
  });

  it('hold NaN where a row has no feature, and the others in their places; the tensor keeps its own', () => {
    const present = Array.from({ length: 11 }, (_, row) => row % 3 !== 0);
    const tensor = tensorOf(11);
    const column = makeVector(encodeTensor(tensor, field, present));
    expect(column.nullCount).toBe(0);
    expect(Array.from(column, value => ![...(value ?? [])].every(Number.isNaN))).toEqual(present);
    expect(Array.from(column.get(10) ?? [])).toEqual(Array.from(tensor.data.subarray(60)));
    expect(tensor.data).toEqual(tensorOf(11).data);
  });

  it('have a null there in the first part schema', () => {
    const present = Array.from({ length: 11 }, (_, row) => row % 3 !== 0);
    const tensor = tensorOf(11);
    const vector = makeVector(encodeTensor(tensor, featureField(feature, FIRST), present));
    expect(vector.nullCount).toBe(4);
    expect(Array.from(vector, value => value !== null)).toEqual(present);
    expect(Array.from(vector.get(10) ?? [])).toEqual(Array.from(tensor.data.subarray(60)));
  });

  it('join the chunks of a column in order', () => {
    const one = encodeTensor(tensorOf(1), field, [true]);
    const two = encodeTensor(tensorOf(2), field, [true, true]);
    const decoded = decodeTensor(field, makeVector([one, two]));
    expect(decoded.shape).toEqual([3, 2, 3]);
    expect(Array.from(decoded.data)).toEqual([...tensorOf(1).data, ...tensorOf(2).data]);
  });

  it('read a slice of a column, not its beginning', () => {
    const vector = makeVector(encodeTensor(tensorOf(4), field, [true, true, true, true])).slice(1, 3);
    expect(Array.from(decodeTensor(field, vector).data)).toEqual([...tensorOf(4).data.slice(6, 18)]);
  });

  it('take no rows at all', () => {
    const data = encodeTensor(tensorOf(0), field, []);
    expect(decodeTensor(field, makeVector(data)).shape).toEqual([0, 2, 3]);
  });

  it('refuse a tensor of another size, naming the layer and both shapes', () => {
    expect(() => encodeTensor(tensorOf(2), field, [true])).toThrow(
      "Expected 1 rows of shape [2, 3] for layer 'block/conv' but received a tensor of shape [2, 2, 3]",
    );
    expect(() => encodeTensor(tensorOf(1), featureField({ ...feature, shape: [7] }), [true])).toThrow(
      'Expected 1 rows of shape [7]',
    );
  });
});

describe('a float16 feature', () => {
  const half: FeatureSpec = { ...feature, dtype: 'float16' };
  const halfField = featureField(half);

  it('is a column of half the bytes that gives the feature back', () => {
    expect(String(halfField.type)).toBe('FixedSizeList[6]<Float16>');
    expect(featureOfField(halfField)).toEqual(half);
    expect(bytesPerRow(half)).toBe(12);
  });

  it('holds the nearest values, read back as float32', () => {
    const vector = makeVector(encodeTensor(tensorOf(2), halfField, [true, false]));
    const tensor = tensorOf(1, [0.1, 1 / 3, 65504, 7e4, -1e-8, 2049]);
    const decoded = decodeTensor(halfField, makeVector(encodeTensor(tensor, halfField, [true])));
    expect([...decodeTensor(halfField, vector).data.subarray(6)]).toEqual(Array.from({ length: 6 }, () => Number.NaN));
    expect(decoded.dtype).toBe('float32');
    expect([...decoded.data]).toEqual([0.0999755859375, 0.333251953125, 65504, Number.POSITIVE_INFINITY, -0, 2048]);
  });

  it('reads a slice of a column, not its beginning', () => {
    const vector = makeVector(encodeTensor(tensorOf(4), halfField, [true, true, true, true])).slice(1, 3);
    expect([...decodeTensor(halfField, vector).data]).toEqual([...tensorOf(4).data.slice(6, 18)]);
  });
});

describe('the small numbers beside it', () => {
  it('count elements and bytes', () => {
    expect(sizeOfShape([4, 4, 8])).toBe(128);
    expect(sizeOfShape([])).toBe(1);
    expect(bytesPerRow({ ...feature, shape: [4, 4, 8] })).toBe(512);
  });

  it('set one bit a row in the validity bitmap, the lowest first, padded to 8 bytes', () => {
    const present = Array.from({ length: 9 }, (_, row) => row === 0 || row === 8);
    expect(Array.from(validityBitmap(present))).toEqual([1, 1, 0, 0, 0, 0, 0, 0]);
    expect(validityBitmap(Array.from({ length: 65 }, () => true))).toHaveLength(16);
  });

  it('list the features of a batch in order', () => {
    const fields = [featureField({ ...feature, name: 'a' }), featureField({ ...feature, name: 'b' })];
    const children = fields.map(each => encodeTensor(tensorOf(1), each, [true]));
    const struct = makeData({ type: new Struct(fields), length: 1, nullCount: 0, children });
    expect(featuresOfBatch(new RecordBatch(new Schema(fields), struct)).map(({ name }) => name)).toEqual(['a', 'b']);
  });
});
