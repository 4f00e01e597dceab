// What ONNX Runtime gives, as float32: every number type is cast. For the onnx engine.
import type { Tensor } from 'onnxruntime-node';

/** @throws Error for strings, which are no feature */
export function floatsOf(tensor: Tensor): Float32Array {
  const { data, type } = tensor;
  if (data instanceof Float32Array) return data;
  if (type === 'float16' && data instanceof Uint16Array) return Float32Array.from(data, fromHalf);
  if (type === 'string' || Array.isArray(data))
    throw new Error('Expected a layer output of numbers but received strings');
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
}

/** IEEE 754 half precision. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
