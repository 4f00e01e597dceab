// A TensorProto: name, type, size, where its bytes lie, and the values of small ones. Field numbers: onnx.proto.
import { halfValue } from '../../../shared/src/half-float.ts';
import { readFields, textOf, varintsOf, type WireField } from './protobuf.ts';

export interface OnnxWeight {
  readonly field: WireField;
  readonly name: string;
  readonly dims: readonly number[];
  readonly elementType: number;
  /** Number of values, 0 for shapes and axes. */
  readonly parameters: number;
  /** Where its values are, if they lie in another file. */
  readonly external?: ExternalRange;
}

export interface ExternalRange {
  /** As the file writes it, relative to the model's folder. */
  readonly location: string;
  readonly offset: number;
  /** Bytes: what the file says, else what dims and type take; undefined for a type of unknown size. */
  readonly length: number | undefined;
}

/** TensorProto.DataType */
export const ELEMENT = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const;

/** Names of TensorProto.DataType for messages. */
export function elementName(type: number): string {
  const found = Object.entries(ELEMENT).find(([, value]) => value === type);
  return found?.[0] ?? (type === 0 ? 'an unknown type' : `element type ${type}`);
}

/** Types that pixels can be cast to. */
const IMAGE_ELEMENTS: ReadonlySet<number> = new Set([
  ELEMENT.float32,
  ELEMENT.float64,
  ELEMENT.float16,
  ELEMENT.int8,
  ELEMENT.uint8,
  ELEMENT.int16,
  ELEMENT.uint16,
  ELEMENT.int32,
]);

/** Whether an image input of that type can be fed. */
export function isImageElement(type: number): boolean {
  return IMAGE_ELEMENTS.has(type);
}

const BYTES: Readonly<Record<number, number>> = {
  [ELEMENT.float32]: 4,
  [ELEMENT.uint8]: 1,
  [ELEMENT.int8]: 1,
  [ELEMENT.uint16]: 2,
  [ELEMENT.int16]: 2,
  [ELEMENT.int32]: 4,
  [ELEMENT.int64]: 8,
  [ELEMENT.bool]: 1,
  [ELEMENT.float16]: 2,
  [ELEMENT.float64]: 8,
  [ELEMENT.uint32]: 4,
  [ELEMENT.uint64]: 8,
  [ELEMENT.bfloat16]: 2,
};

/** Axes of a tensor: more is damage. */
const MOST_AXES = 64;
/** TensorProto.DataLocation.EXTERNAL */
const EXTERNAL = 1;

export function readWeight(field: WireField): OnnxWeight {
  const dims: number[] = [];
  let name = '';
  let elementType = 0;
  let isExternal = false;
  const entries = new Map<string, string>();
  for (const part of readFields(field.bytes)) {
    if (part.number === 1) dims.push(...varintsOf(part, MOST_AXES));
    else if (part.number === 2) elementType = part.value;
    else if (part.number === 8) name = textOf(part);
    else if (part.number === 13) entries.set(...readEntry(part.bytes));
    else if (part.number === 14) isExternal = part.value === EXTERNAL;
    if (dims.length > MOST_AXES) throw new Error(`Expected at most ${MOST_AXES} axes for '${name}'`);
  }
  if (dims.some(axis => axis < 0)) throw new Error(`Expected a size for each axis of '${name}' but received [${dims}]`);
  const size = dims.reduce((product, axis) => product * axis, 1);
  const external = isExternal ? { external: rangeOf(name, entries, size, elementType) } : {};
  // Shapes and axes are int64: no parameters.
  return { field, name, dims, elementType, parameters: elementType === ELEMENT.int64 ? 0 : size, ...external };
}

function readEntry(bytes: Uint8Array): [string, string] {
  let key = '';
  let value = '';
  for (const field of readFields(bytes)) {
    if (field.number === 1) key = textOf(field);
    else if (field.number === 2) value = textOf(field);
  }
  return [key, value];
}

function rangeOf(name: string, entries: ReadonlyMap<string, string>, size: number, type: number): ExternalRange {
  const bytes = BYTES[type];
  const numberOf = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    if (!/^\d{1,15}$/.test(text)) throw new Error(`Expected a number of bytes for ${key} of '${name}'`);
    return Number(text);
  };
  return {
    location: entries.get('location') ?? '',
    offset: numberOf('offset') ?? 0,
    length: numberOf('length') ?? (bytes === undefined ? undefined : size * bytes),
  };
}

/** The values of a tensor inside the file; undefined for more than `most`, for those elsewhere and for other types. */
export function readValues(weight: OnnxWeight, most: number): readonly number[] | undefined {
  const size = weight.dims.reduce((product, axis) => product * axis, 1);
  if (size > most || weight.external !== undefined) return undefined;
  const values: number[] = [];
  for (const part of readFields(weight.field.bytes)) {
    // Ten bytes are the longest number of any kind.
    if (part.bytes.length > most * 10) return undefined;
    if (part.number === 4) values.push(...numbersIn(part.bytes, ELEMENT.float32));
    else if (part.number === 5 || part.number === 7) {
      const integers = varintsOf(part, most);
      values.push(...(weight.elementType === ELEMENT.float16 ? integers.map(halfValue) : integers));
    } else if (part.number === 9) values.push(...numbersIn(part.bytes, weight.elementType));
    else if (part.number === 10) values.push(...numbersIn(part.bytes, ELEMENT.float64));
    if (values.length > most) return undefined;
  }
  return values.length === size ? values : undefined;
}

/** Little-endian, as the format lays down. */
function numbersIn(bytes: Uint8Array, type: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read: Readonly<Record<number, (at: number) => number>> = {
    [ELEMENT.float32]: at => view.getFloat32(at, true),
    [ELEMENT.float64]: at => view.getFloat64(at, true),
    [ELEMENT.float16]: at => halfValue(view.getUint16(at, true)),
    [ELEMENT.int8]: at => view.getInt8(at),
    [ELEMENT.uint8]: at => view.getUint8(at),
    [ELEMENT.int32]: at => view.getInt32(at, true),
    [ELEMENT.int64]: at => Number(view.getBigInt64(at, true)),
  };
  const readOne = read[type];
  const width = BYTES[type];
  if (readOne === undefined || width === undefined) return [];
  return Array.from({ length: Math.floor(bytes.length / width) }, (_, index) => readOne(index * width));
}
