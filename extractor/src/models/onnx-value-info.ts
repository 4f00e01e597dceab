// What an ONNX file says of a tensor without its values: name, type and shape. Field numbers: onnx.proto.
import { readFields, textOf, type WireField } from './protobuf.ts';

/** An axis: its size, or null where the file leaves it open. */
export type OnnxShape = readonly (number | null)[];

export interface OnnxTensor {
  readonly name: string;
  /** Undefined where the file doesn't say. */
  readonly shape: OnnxShape | undefined;
  /** Element type as in TensorProto.DataType: 1 is float32; 0 where the file doesn't say. */
  readonly elementType: number;
  /** What it is instead of a tensor. */
  readonly other?: 'sequence' | 'map' | 'sparse tensor' | 'optional value';
}

/** Fields of TypeProto that are no tensor. */
const OTHERS: Readonly<Record<number, OnnxTensor['other']>> = {
  4: 'sequence',
  5: 'map',
  8: 'sparse tensor',
  9: 'optional value',
};
/** Axes of a tensor: more is damage. */
const MOST_AXES = 64;

export function readValueInfo(bytes: Uint8Array): OnnxTensor {
  let tensor: OnnxTensor = { name: '', shape: undefined, elementType: 0 };
  for (const part of readFields(bytes)) {
    if (part.number === 1) tensor = { ...tensor, name: textOf(part) };
    if (part.number === 2) tensor = { ...tensor, ...readType(part.bytes) };
  }
  return tensor;
}

function readType(bytes: Uint8Array): Partial<OnnxTensor> {
  let type: Partial<OnnxTensor> = {};
  for (const field of readFields(bytes)) {
    const other = OTHERS[field.number];
    if (other !== undefined) type = { other };
    if (field.number === 1) type = readTensorType(field.bytes);
  }
  return type;
}

function readTensorType(bytes: Uint8Array): Partial<OnnxTensor> {
  let type: Partial<OnnxTensor> = {};
  for (const field of readFields(bytes)) {
    if (field.number === 1) type = { ...type, elementType: field.value };
    if (field.number === 2) type = { ...type, shape: readShape(field.bytes) };
  }
  return type;
}

function readShape(bytes: Uint8Array): OnnxShape {
  const shape: (number | null)[] = [];
  for (const dimension of readFields(bytes)) {
    if (dimension.number !== 1) continue;
    if (shape.length === MOST_AXES) throw new Error(`Expected at most ${MOST_AXES} axes`);
    shape.push(readDimension(dimension));
  }
  return shape;
}

/** An axis without a value, with a name instead, with 0 or with a negative number is open. */
function readDimension(field: WireField): number | null {
  let size = 0;
  for (const part of readFields(field.bytes)) if (part.number === 1) size = part.value;
  return size > 0 && size < 2 ** 53 ? size : null;
}
