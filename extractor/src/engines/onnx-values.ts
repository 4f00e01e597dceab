// Values on their way into ONNX Runtime and out of it: features are float32, inputs what the model asks for.
import { Refusal } from '../../../shared/src/errors.ts';
import { decodeHalf, encodeHalf } from '../../../shared/src/half-float.ts';
import { ELEMENT, elementName } from '../models/onnx-tensor.ts';
import type { Tensor } from './onnx-runtime.ts';

/** @throws Refusal `unknown-layer` for strings, which are no feature */
export function floatsOf(name: string, tensor: Tensor): Float32Array {
  const { data, type } = tensor;
  if (data instanceof Float32Array) return data;
  if (type === 'float16' && data instanceof Uint16Array) return decodeHalf(data);
  if (type === 'string' || Array.isArray(data))
    throw new Refusal('unknown-layer', `Expected a layer of numbers but '${name}' gives ${type}`);
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
}

/** Values with their type as the runtime calls it. */
interface Feed {
  readonly type: 'float32' | 'float64' | 'float16' | 'uint8' | 'int8' | 'uint16' | 'int16' | 'int32';
  readonly data: Float32Array | Float64Array | Uint16Array | Uint8Array | Int8Array | Int16Array | Int32Array;
}

/**
 * The values as the input wants them. Whole-number inputs take pixels: values are rounded, halves to even.
 * @throws Refusal `recipe-mismatch` for values that a whole-number input would destroy: beyond its range, or fractions of 1
 */
export function feedOf(values: Float32Array, elementType: number): Feed {
  if (elementType === ELEMENT.float32) return { type: 'float32', data: values };
  if (elementType === ELEMENT.float64) return { type: 'float64', data: Float64Array.from(values) };
  if (elementType === ELEMENT.float16) return { type: 'float16', data: encodeHalf(values) };
  const integers = INTEGERS[elementType];
  if (integers === undefined) throw new Error(`Expected an element type that can be fed but received ${elementType}`);
  requireWhole(values, elementType, integers);
  return integers.feed(values.map(roundHalfEven));
}

interface IntegerType {
  readonly least: number;
  readonly most: number;
  readonly feed: (rounded: Float32Array) => Feed;
}

const INTEGERS: Readonly<Record<number, IntegerType>> = {
  [ELEMENT.uint8]: { least: 0, most: 255, feed: rounded => ({ type: 'uint8', data: Uint8Array.from(rounded) }) },
  [ELEMENT.int8]: { least: -128, most: 127, feed: rounded => ({ type: 'int8', data: Int8Array.from(rounded) }) },
  [ELEMENT.uint16]: { least: 0, most: 65_535, feed: rounded => ({ type: 'uint16', data: Uint16Array.from(rounded) }) },
  [ELEMENT.int16]: {
    least: -32_768,
    most: 32_767,
    feed: rounded => ({ type: 'int16', data: Int16Array.from(rounded) }),
  },
  // Beyond 2^24 a float32 has no neighbours 1 apart, and no pixel comes near.
  [ELEMENT.int32]: {
    least: -(2 ** 24),
    most: 2 ** 24,
    feed: rounded => ({ type: 'int32', data: Int32Array.from(rounded) }),
  },
};

function requireWhole(values: Float32Array, elementType: number, { least, most }: IntegerType): void {
  const refusal = (received: string): Refusal =>
    new Refusal(
      'recipe-mismatch',
      `Expected whole numbers from ${least} to ${most} for an input of ${elementName(elementType)} but received ${received}`,
      { hint: 'Take a recipe of pixels as they are: scale 1, mean 0 and std 1 (mean 128 for signed 8-bit input).' },
    );
  let [largest, isWhole] = [0, true];
  for (const value of values) {
    // Also NaN, which is neither.
    if (!(value >= least - 0.5 && value <= most + 0.5)) throw refusal(`${value}`);
    largest = Math.max(largest, Math.abs(value));
    isWhole &&= Number.isInteger(value);
  }
  if (!isWhole && largest <= 1) throw refusal(`values of at most ${largest}`);
}

/** To the nearest whole number; halfway between two, to the even one. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
