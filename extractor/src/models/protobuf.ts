// Protobuf's wire format, as much as reading and splicing an ONNX file takes: fields stay views on the file's bytes.
// Written by hand: a library would want generated code for the whole schema and copy every weight, and what this
// project changes (the outputs and nodes of a graph) is a splice that leaves all other bytes, known or not, as they are.

export interface WireField {
  readonly number: number;
  /** The whole field, tag included: what is copied to keep it. */
  readonly whole: Uint8Array;
  /** The payload of a length-delimited field (message, string, bytes, packed numbers); empty for others. */
  readonly bytes: Uint8Array;
  /** The value of a varint field; 0 for others. */
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
    if (number === 0) throw new Error(`Expected a protobuf field at byte ${start} but received field number 0`);
    const end = cursor.position + length;
    if (end > message.length) throw new TruncatedMessage(end, message.length);
    yield { number, value, whole: message.subarray(start, end), bytes: message.subarray(cursor.position, end) };
    cursor.position = end;
  }
}

/** The numbers of a repeated varint field, packed or not. */
export function varintsOf(field: WireField): number[] {
  if (field.bytes.length === 0) return [field.value];
  const numbers: number[] = [];
  const cursor = { position: 0 };
  while (cursor.position < field.bytes.length) numbers.push(readVarint(field.bytes, cursor));
  return numbers;
}

export function textOf(field: WireField): string {
  return Buffer.from(field.bytes.buffer, field.bytes.byteOffset, field.bytes.byteLength).toString('utf8');
}

/** A length-delimited field. */
export function encodeField(number: number, payload: Uint8Array): Uint8Array {
  return Buffer.concat([encodeVarint(number * 8 + 2), encodeVarint(payload.length), payload]);
}

/** Exact up to 2^53; a negative int64 loses its sign, which no field read here has. */
function readVarint(bytes: Uint8Array, cursor: { position: number }): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[cursor.position];
    if (byte === undefined) throw new TruncatedMessage(cursor.position + 1, bytes.length);
    cursor.position++;
    value += (byte % 128) * factor;
    if (byte < 128) return value;
    if (factor > 2 ** 63) throw new Error(`Expected a number of at most 10 bytes at byte ${cursor.position}`);
  }
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Uint8Array.from([...bytes, rest]);
}
