// TensorData ⇄ Arrow: one layer's output of a batch as a column of arrow.fixed_shape_tensor.
import {
  type Data,
  Field,
  FixedSizeList,
  Float16,
  Float32,
  makeData,
  Precision,
  type RecordBatch,
  Type,
  type Vector,
} from 'apache-arrow';
import { z } from 'zod';
import { decodeHalf, encodeHalf } from './half-float.ts';

/** Element types that parts hold; engines and everything before the file compute in float32. */
export const FEATURE_DTYPES = ['float32', 'float16'] as const;
export type FeatureDtype = (typeof FEATURE_DTYPES)[number];

/** A dense tensor in row-major order. */
export interface TensorData {
  readonly dtype: 'float32';
  /** First axis is the batch. */
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What a tensor looks like without its batch axis. */
export interface FeatureSpec {
  /** Column name: the layer's name. */
  readonly name: string;
  readonly dtype: FeatureDtype;
  /** Shape of one sample's feature, without the batch axis; `[]` never occurs: a scalar is `[1]`. */
  readonly shape: readonly number[];
}

const EXTENSION_NAME = 'arrow.fixed_shape_tensor';
const ExtensionMetadata = z.looseObject({ shape: z.array(z.int().min(0)) });

/** Number of elements of a shape. */
export function sizeOfShape(shape: readonly number[]): number {
  return shape.reduce((size, axis) => size * axis, 1);
}

/** Bytes of one sample's feature. */
export function bytesPerRow(feature: Pick<FeatureSpec, 'shape' | 'dtype'>): number {
  return sizeOfShape(feature.shape) * (feature.dtype === 'float16' ? 2 : 4);
}

/** Arrow's type of a feature column. */
export type FeatureType = FixedSizeList<Float32 | Float16>;

/**
 * The column of a feature. Item and column are nullable: PyArrow restores a FixedShapeTensorArray
 * from Parquet only when the item field is, and a failed sample has no feature.
 */
export function featureField(feature: FeatureSpec): Field<FeatureType> {
  const item = new Field<Float32 | Float16>('item', itemType(feature), true);
  const metadata = new Map([
    ['ARROW:extension:name', EXTENSION_NAME],
    ['ARROW:extension:metadata', JSON.stringify({ shape: feature.shape })],
  ]);
  return new Field(feature.name, new FixedSizeList(sizeOfShape(feature.shape), item), true, metadata);
}

function itemType(feature: FeatureSpec): Float32 | Float16 {
  return feature.dtype === 'float16' ? new Float16() : new Float32();
}

/** The feature that a column holds, or undefined for a column of another kind. */
export function featureOfField(field: Field): FeatureSpec | undefined {
  if (field.metadata.get('ARROW:extension:name') !== EXTENSION_NAME) return undefined;
  const metadata = ExtensionMetadata.parse(JSON.parse(field.metadata.get('ARROW:extension:metadata') ?? '{}'));
  const item: unknown = field.type.children?.[0]?.type;
  const half = item instanceof Object && 'precision' in item && item.precision === Precision.HALF;
  return { name: field.name, dtype: half ? 'float16' : 'float32', shape: metadata.shape };
}

/**
 * One batch of features as Arrow data: float32 without copying the values, float16 rounded to the nearest.
 * @param tensor shape [rows, …feature shape]
 * @param present per row, whether it has a feature; a row without one is null and its values are ignored
 */
export function encodeTensor(tensor: TensorData, feature: FeatureSpec, present: readonly boolean[]): Data<FeatureType> {
  const rows = present.length;
  const size = sizeOfShape(feature.shape);
  if (tensor.data.length !== rows * size) {
    throw new Error(
      `Expected ${rows} rows of shape [${feature.shape.join(', ')}] for layer '${feature.name}' but received a tensor of shape [${tensor.shape.join(', ')}]`,
    );
  }
  const values = feature.dtype === 'float16' ? encodeHalf(tensor.data) : tensor.data;
  return featureData(featureField(feature).type, values, present);
}

/**
 * A feature column around its values, which are not copied.
 * @param values of all rows, as the column's items lie: float32, or the bits of float16
 * @param present per row, whether it has a feature; the others are null
 */
export function featureData(
  type: FeatureType,
  values: Float32Array | Uint16Array,
  present: readonly boolean[],
): Data<FeatureType> {
  const { length } = values;
  const child: Data<Float32 | Float16> =
    values instanceof Uint16Array
      ? makeData({ type: new Float16(), length, nullCount: 0, data: values })
      : makeData({ type: new Float32(), length, nullCount: 0, data: values });
  const nullCount = present.filter(there => !there).length;
  const bitmap = nullCount === 0 ? {} : { nullBitmap: validityBitmap(present) };
  return makeData({ type, length: present.length, nullCount, ...bitmap, child });
}

/** The features of a column, as float32; rows without one hold zeros (or whatever the file has there). */
export function decodeTensor(field: Field, vector: Vector): TensorData {
  const feature = featureOfField(field);
  if (feature === undefined)
    throw new Error(`Expected a ${EXTENSION_NAME} column but '${field.name}' is ${field.type}`);
  const size = sizeOfShape(feature.shape);
  const data = new Float32Array(vector.length * size);
  let row = 0;
  for (const chunk of vector.data) {
    const child = chunk.children[0];
    if (child === undefined || child.typeId !== Type.Float)
      throw new Error(`Expected items of ${feature.dtype} in '${field.name}'`);
    const values: unknown = child.values.subarray(0, chunk.length * size);
    data.set(values instanceof Uint16Array ? decodeHalf(values) : (values as Float32Array), row * size);
    row += chunk.length;
  }
  return { dtype: 'float32', shape: [vector.length, ...feature.shape], data };
}

/** Arrow's validity bitmap: bit i of byte i >> 3 is 1 when row i is present. */
export function validityBitmap(present: readonly boolean[]): Uint8Array {
  const bitmap = new Uint8Array(((present.length + 63) >> 6) << 3);
  present.forEach((value, row) => {
    if (value) bitmap[row >> 3] = (bitmap[row >> 3] ?? 0) | (1 << (row & 7));
  });
  return bitmap;
}

/** The feature columns of a part, in order. */
export function featuresOfBatch(batch: RecordBatch): readonly FeatureSpec[] {
  return batch.schema.fields.flatMap(field => featureOfField(field) ?? []);
}
