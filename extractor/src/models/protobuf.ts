// Protobuf's wire format, as much as reading and splicing an ONNX file takes: fields stay views on the file's bytes.
// Written by hand: a library would want generated code for the whole schema and copy every weight, and what this
// project changes (the outputs and nodes of a graph) is a splice that leaves all other bytes, known or not, as they are.

export interface WireField {
  readonly number: number;
  /** The whole field, tag included: what is copied to keep it. */
  readonly whole: Uint8Array;
  /** The payload of a length-delimited field (message, string, bytes, packed numbers); empty for others. */
  readonly bytes: Uint8Array;
  /** The value of a varint field, read as int64; 0 for others. */
  readonly value: number;
}

/** Bytes that end before they should. */
export class TruncatedMessage extends Error {
  constructor(expected: number, received: number) {
    super(`Expected ${expected} bytes but received ${received}`);
    this.name = 'TruncatedMessage';
  }
}

/** The fields of one message, in the order of the file. */
export function* readFields(message: Uint8Array): Generator<WireField> {
  const cursor = { position: 0 };
  while (cursor.position < message.length) {
    const start = cursor.position;
    const tag = readVarint(message, cursor);
    const number = Math.floor(tag / 8);
    let value = 0;
    let length = 0;
    if (tag % 8 === 0) value = readVarint(message, cursor);
    else if (tag % 8 === 1) length = 8;
    else if (tag % 8 === 2) length = readVarint(message, cursor);
    else if (tag % 8 === 5) length = 4;
    else throw new Error(`Expected a protobuf field at byte ${start} but received wire type ${tag % 8}`);
    if (number < 1) throw new Error(`Expected a protobuf field at byte ${start} but received field number ${number}`);
    if (length < 0) throw new Error(`Expected a length at byte ${start} but received ${length}`);
    const end = cursor.position + length;
    if (end > message.length) throw new TruncatedMessage(end, message.length);
    yield { number, value, whole: message.subarray(start, end), bytes: message.subarray(cursor.position, end) };
    cursor.position = end;
  }
}

/**
 * The numbers of a repeated varint field, packed or not.
 * @param most how many there may be: a damaged length must not become a list of millions
 */
export function varintsOf(field: WireField, most: number): number[] {
  if (field.bytes.length === 0) return isPacked(field) ? [] : [field.value];
  const numbers: number[] = [];
  const cursor = { position: 0 };
  while (cursor.position < field.bytes.length) {
    if (numbers.length === most) throw new Error(`Expected at most ${most} numbers in field ${field.number}`);
    numbers.push(readVarint(field.bytes, cursor));
  }
  return numbers;
}

/** Length-delimited, by the wire type in its tag. */
function isPacked(field: WireField): boolean {
  return (field.whole[0] ?? 0) % 8 === 2;
}

export function textOf(field: WireField): string {
  return Buffer.from(field.bytes.buffer, field.bytes.byteOffset, field.bytes.byteLength).toString('utf8');
}

/** A length-delimited field. */
export function encodeField(number: number, payload: Uint8Array): Uint8Array {
  return Buffer.concat([fieldHeader(number, payload.length), payload]);
}

/** Tag and length of a length-delimited field, for payloads too large to copy more than once. */
export function fieldHeader(number: number, length: number): Uint8Array {
  return Buffer.concat([encodeVarint(number * 8 + 2), encodeVarint(length)]);
}

/** An int64: exact between -2^53 and 2^53. */
function readVarint(bytes: Uint8Array, cursor: { position: number }): number {
  let value = 0;
  const start = cursor.position;
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[cursor.position];
    if (byte === undefined) throw new TruncatedMessage(cursor.position + 1, bytes.length);
    cursor.position++;
    value += (byte % 128) * factor;
    if (byte < 128) return value < 2 ** 63 ? value : negative(bytes.subarray(start, cursor.position));
    if (factor >= 2 ** 63) throw new Error(`Expected a number of at most 10 bytes at byte ${cursor.position}`);
  }
}

/** A negative number is written as its complement to 2^64, in ten bytes; nine of them hold 63 bits. */
function negative(digits: Uint8Array): number {
  return -1 - digits.subarray(0, 9).reduce((sum, digit, place) => sum + (127 - (digit % 128)) * 128 ** place, 0);
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Uint8Array.from([...bytes, rest]);
}
