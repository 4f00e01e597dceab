// Protobuf's wire format: reading what was written, large numbers, and bytes that end too early.
import { describe, expect, test } from 'vitest';
import {
  encodeField,
  readFields,
  TruncatedMessage,
  textOf,
  varintsOf,
} from '../../../extractor/src/models/protobuf.ts';

test('a field is read as it was written, whatever its size', () => {
  for (const size of [0, 1, 127, 128, 20_000]) {
    const payload = new Uint8Array(size).fill(7);
    const encoded = encodeField(700, payload);
    const [field, ...others] = readFields(encoded);
    expect(field?.number).toBe(700);
    expect(Buffer.from(field?.bytes ?? []).equals(payload)).toBe(true);
    expect(field?.whole).toEqual(encoded);
    expect(others).toEqual([]);
  }
});

test('numbers, fixed-width fields and packed numbers are read beside each other', () => {
  const message = Uint8Array.of(
    0x08,
    0xac,
    0x02,
    0x15,
    1,
    2,
    3,
    4,
    0x19,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    0x22,
    3,
    0x05,
    0x96,
    0x01,
  );
  const [varint, four, eight, packed] = readFields(message);
  expect(varint).toMatchObject({ number: 1, value: 300 });
  expect(four).toMatchObject({ number: 2, bytes: Uint8Array.of(1, 2, 3, 4) });
  expect(eight?.bytes).toHaveLength(8);
  expect(packed === undefined ? [] : varintsOf(packed, 2)).toEqual([5, 150]);
  expect(varint === undefined ? [] : varintsOf(varint, 2)).toEqual([300]);
});

test('numbers are exact beyond 32 bits', () => {
  const [field] = readFields(Uint8Array.of(0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x08));
  expect(field?.value).toBe(2 ** 52);
});

test('negative numbers are read as the int64 that they are, single or packed', () => {
  const minusOne = [...Array<number>(9).fill(255), 1];
  const minus300 = [0xd4, 0xfd, ...Array<number>(7).fill(255), 1];
  const [single, packed] = readFields(Uint8Array.from([0x08, ...minusOne, 0x12, 20, ...minusOne, ...minus300]));
  expect(single?.value).toBe(-1);
  expect(packed === undefined ? [] : varintsOf(packed, 2)).toEqual([-1, -300]);
});

test('a negative length, a number of eleven bytes and more numbers than there may be are no protobuf', () => {
  expect(() => [...readFields(Uint8Array.from([0x0a, ...Array<number>(9).fill(255), 1]))]).toThrow('a length');
  expect(() => [...readFields(Uint8Array.from([0x08, ...Array<number>(11).fill(255), 1]))]).toThrow('10 bytes');
  const [packed] = readFields(Uint8Array.of(0x0a, 3, 1, 2, 3));
  expect(() => packed && varintsOf(packed, 2)).toThrow('at most 2');
});

test('text is UTF-8', () => {
  const [field] = readFields(encodeField(1, Buffer.from('Schicht/größe')));
  expect(field === undefined ? '' : textOf(field)).toBe('Schicht/größe');
});

describe('bytes that end too early are told from others:', () => {
  test.each([1, 2, 5, 11])('%i of 12', length => {
    const whole = encodeField(1, new Uint8Array(10));
    expect(() => [...readFields(whole.subarray(0, length))]).toThrow(TruncatedMessage);
  });

  test('an unknown wire type and field 0 are no protobuf', () => {
    expect(() => [...readFields(Uint8Array.of(0x0f))]).toThrow('wire type 7');
    expect(() => [...readFields(Uint8Array.of(0x00, 0x01))]).toThrow('field number 0');
  });
});
