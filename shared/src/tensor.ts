// TensorData ⇄ Arrow: one layer's output of a batch as a column of a part.
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
const Shape = z.array(z.int().min(0));
const ExtensionMetadata = z.looseObject({ shape: Shape });
/** Metadata of a feature column: its shape, as JSON. Columns of the first part schema lack it. */
const SHAPE_KEY = 'layertap.shape';
/** A half-precision float that is not a number. */
const HALF_NAN = 0x7e00;

/** How the columns of features lie in the parts of a run. */
export interface FeatureLayout {
  /**
   * 1: each is an `arrow.fixed_shape_tensor`, null in failed rows. 2: those of one axis are plain fixed-size lists, and failed
   * rows hold NaN: PyArrow before 26 reads no fixed-size list from Parquet that has a null among others (apache/arrow#35692).
   */
  readonly partSchema: 1 | 2;
  /** Of more than one axis: `arrow.fixed_shape_tensor`, or plain fixed-size lists too, their values in row-major order. */
  readonly tensors: 'typed' | 'plain';
}

export const NEWEST_LAYOUT: FeatureLayout = { partSchema: 2, tensors: 'typed' };

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

/** The column of a feature. Item and column are nullable: PyArrow restores a FixedShapeTensorArray from Parquet only then. */
export function featureField(feature: FeatureSpec, layout: FeatureLayout = NEWEST_LAYOUT): Field<FeatureType> {
  const item = new Field<Float32 | Float16>('item', itemType(feature), true);
  const metadata = new Map<string, string>();
  if (layout.partSchema > 1) metadata.set(SHAPE_KEY, JSON.stringify(feature.shape));
  if (layout.partSchema === 1 || (feature.shape.length > 1 && layout.tensors === 'typed')) {
    metadata.set('ARROW:extension:name', EXTENSION_NAME);
    metadata.set('ARROW:extension:metadata', JSON.stringify({ shape: feature.shape }));
  }
  return new Field(feature.name, new FixedSizeList(sizeOfShape(feature.shape), item), true, metadata);
}

function itemType(feature: FeatureSpec): Float32 | Float16 {
  return feature.dtype === 'float16' ? new Float16() : new Float32();
}

/** The feature that a column holds, or undefined for a column of another kind. */
export function featureOfField(field: Field): FeatureSpec | undefined {
  const shape = shapeOfField(field);
  if (shape === undefined) return undefined;
  const item: unknown = field.type.children?.[0]?.type;
  const half = item instanceof Object && 'precision' in item && item.precision === Precision.HALF;
  return { name: field.name, dtype: half ? 'float16' : 'float32', shape };
}

function shapeOfField({ metadata }: Field): readonly number[] | undefined {
  const shape = metadata.get(SHAPE_KEY);
  if (shape !== undefined) return Shape.parse(JSON.parse(shape));
  if (metadata.get('ARROW:extension:name') !== EXTENSION_NAME) return undefined;
  return ExtensionMetadata.parse(JSON.parse(metadata.get('ARROW:extension:metadata') ?? '{}')).shape;
}

/** What of a column's layout its type does not say: two parts of one run have it in common. */
export function layoutKeyOf(field: Field): string {
  const extension = field.metadata.get('ARROW:extension:name') ?? 'plain';
  return holdsNaN(field) ? extension : `${extension}, null where it failed`;
}

/** Whether failed rows hold NaN in this column; in the first part schema they are null. */
export function holdsNaN(field: Field): boolean {
  return field.metadata.has(SHAPE_KEY);
}

/**
 * One batch of features as Arrow data: float32 without copying the values where every row has some, float16 rounded to the
 * nearest.
 * @param tensor shape [rows, …feature shape]
 * @param field of the run's row schema
 * @param present per row, whether it has a feature; the values of a row without one are ignored
 */
export function encodeTensor(tensor: TensorData, field: Field, present: readonly boolean[]): Data<FeatureType> {
  const feature = requireFeature(field);
  const rows = present.length;
  const size = sizeOfShape(feature.shape);
  if (tensor.data.length !== rows * size) {
    throw new Error(
      `Expected ${rows} rows of shape [${feature.shape.join(', ')}] for layer '${feature.name}' but received a tensor of shape [${tensor.shape.join(', ')}]`,
    );
  }
  const values = feature.dtype === 'float16' ? encodeHalf(tensor.data) : tensor.data;
  return featureData(field, values, present);
}

function requireFeature(field: Field): FeatureSpec {
  const feature = featureOfField(field);
  if (feature !== undefined) return feature;
  throw new Error(`Expected a column of features but '${field.name}' is ${field.type}`);
}

/**
 * A feature column around its values, which are copied only where a row lacks some.
 * @param field of the run's row schema
 * @param all of all rows, as the column's items lie: float32, or the bits of float16
 * @param present per row, whether it has a feature; the others hold NaN, or are null in the first part schema
 */
export function featureData(
  field: Field,
  all: Float32Array | Uint16Array,
  present: readonly boolean[],
): Data<FeatureType> {
  const type = field.type as FeatureType;
  const absent = present.filter(there => !there).length;
  const values = absent > 0 && holdsNaN(field) ? withNaN(all, type.listSize, present) : all;
  const { length } = values;
  const child: Data<Float32 | Float16> =
    values instanceof Uint16Array
      ? makeData({ type: new Float16(), length, nullCount: 0, data: values })
      : makeData({ type: new Float32(), length, nullCount: 0, data: values });
  const nullCount = holdsNaN(field) ? 0 : absent;
  const bitmap = nullCount === 0 ? {} : { nullBitmap: validityBitmap(present) };
  return makeData({ type, length: present.length, nullCount, ...bitmap, child });
}

function withNaN<Values extends Float32Array | Uint16Array>(
  values: Values,
  size: number,
  present: readonly boolean[],
): Values {
  const copy = values.slice() as Values;
  const nothing = copy instanceof Uint16Array ? HALF_NAN : Number.NaN;
  for (const [row, there] of present.entries()) if (!there) copy.fill(nothing, row * size, (row + 1) * size);
  return copy;
}

/** The features of a column, as float32; rows without one hold NaN, in the first part schema zeros or whatever the file has there. */
export function decodeTensor(field: Field, vector: Vector): TensorData {
  const feature = requireFeature(field);
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
