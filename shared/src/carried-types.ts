// The Arrow types that a carried column may have, by the names that PyArrow gives them, and their values without loss.
import {
  Binary,
  Bool,
  type Data,
  DataType,
  Date_,
  DateUnit,
  Decimal,
  Duration,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  makeData,
  Precision,
  Time,
  Timestamp,
  TimeUnit,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
  type Vector,
  vectorFromArray,
} from 'apache-arrow';
import { validityBitmap } from './tensor.ts';

/**
 * `bigint` for whole numbers of 64 bits, and for timestamps, durations, times and decimals as Arrow stores them: counts of the
 * type's unit, or of 10^-scale. `number` for floats, and for whole numbers, days and times of up to 32 bits.
 */
export type CarriedValue = string | bigint | number | boolean | Uint8Array | null;

/** By Arrow's own numbers of them. */
const UNITS: readonly string[] = ['s', 'ms', 'us', 'ns'];

const PLAIN: Readonly<Record<string, () => DataType>> = {
  utf8: () => new Utf8(),
  int8: () => new Int8(),
  int16: () => new Int16(),
  int32: () => new Int32(),
  int64: () => new Int64(),
  uint8: () => new Uint8(),
  uint16: () => new Uint16(),
  uint32: () => new Uint32(),
  uint64: () => new Uint64(),
  float32: () => new Float32(),
  float64: () => new Float64(),
  bool: () => new Bool(),
  binary: () => new Binary(),
  'date32[day]': () => new Date_(DateUnit.DAY),
  'time32[s]': () => new Time(TimeUnit.SECOND, 32),
  'time32[ms]': () => new Time(TimeUnit.MILLISECOND, 32),
  'time64[us]': () => new Time(TimeUnit.MICROSECOND, 64),
  'time64[ns]': () => new Time(TimeUnit.NANOSECOND, 64),
};
const DURATION = /^duration\[(s|ms|us|ns)\]$/;
const TIMESTAMP = /^timestamp\[(s|ms|us|ns)(?:, tz=(.+))?\]$/;
const DECIMAL = /^decimal(128|256)\((\d+), (-?\d+)\)$/;

/** Undefined for a name that is none. */
export function arrowTypeOf(name: string): DataType | undefined {
  const plain = Object.hasOwn(PLAIN, name) ? PLAIN[name] : undefined;
  if (plain !== undefined) return plain();
  const [, duration] = DURATION.exec(name) ?? [];
  if (duration !== undefined) return new Duration(unitOf(duration));
  const [, unit, zone] = TIMESTAMP.exec(name) ?? [];
  if (unit !== undefined) return new Timestamp(unitOf(unit), zone);
  const [, bits, precision, scale] = DECIMAL.exec(name) ?? [];
  return bits === undefined ? undefined : new Decimal(Number(scale), Number(precision), Number(bits));
}

/** The name of the very type; undefined for one that is not carried as it is. */
export function nameOfType(type: DataType): string | undefined {
  if (DataType.isUtf8(type)) return 'utf8';
  if (DataType.isBool(type)) return 'bool';
  if (DataType.isBinary(type)) return 'binary';
  if (DataType.isInt(type)) return `${type.isSigned ? '' : 'u'}int${type.bitWidth}`;
  // Readers of Parquet files do not all know float16.
  if (DataType.isFloat(type)) return type.precision === Precision.DOUBLE ? 'float64' : 'float32';
  if (DataType.isDate(type) && type.unit === DateUnit.DAY) return 'date32[day]';
  if (DataType.isTime(type)) return `time${type.bitWidth}[${UNITS[type.unit]}]`;
  if (DataType.isDuration(type)) return `duration[${UNITS[type.unit]}]`;
  if (DataType.isTimestamp(type)) {
    const zone = type.timezone == null || type.timezone === '' ? '' : `, tz=${type.timezone}`;
    return `timestamp[${UNITS[type.unit]}${zone}]`;
  }
  if (DataType.isDecimal(type)) return `decimal${type.bitWidth}(${type.precision}, ${type.scale})`;
  return undefined;
}

function unitOf(text: string): TimeUnit {
  return UNITS.indexOf(text);
}

/** A column of those values, as they are. */
export function columnOf(type: DataType, values: readonly unknown[]): Data {
  if (is64Bits(type)) {
    const data = BigInt64Array.from(values, value => BigInt((value as bigint | number | null | undefined) ?? 0));
    return makeData({ ...validityOf(values), type: type as Timestamp, data });
  }
  if (is32Bits(type)) {
    const data = Int32Array.from(values, value => Number(value ?? 0));
    return makeData({ ...validityOf(values), type: type as Date_, data });
  }
  if (DataType.isDecimal(type)) {
    const data = new Uint32Array(values.length * wordsOf(type));
    for (const [row, value] of values.entries()) writeWords(data, row, wordsOf(type), (value as bigint | null) ?? 0n);
    return makeData({ ...validityOf(values), type, data });
  }
  const [data] = vectorFromArray(values, type).data;
  if (data === undefined) throw new Error(`Expected one chunk of ${type}`);
  return data;
}

function validityOf(
  values: readonly unknown[],
): Pick<Data, 'length' | 'nullCount'> & { readonly nullBitmap?: Uint8Array } {
  const present = values.map(value => value !== null && value !== undefined);
  const nullCount = present.filter(there => !there).length;
  return { length: values.length, nullCount, ...(nullCount > 0 && { nullBitmap: validityBitmap(present) }) };
}

/** One value of a column, as `columnOf` takes it: Arrow's own `get` rounds timestamps to milliseconds. */
export function valueAt(vector: Vector, row: number): unknown {
  let index = row;
  for (const data of vector.data) {
    if (index >= data.length) {
      index -= data.length;
      continue;
    }
    if (!data.getValid(index)) return null;
    if (is64Bits(data.type) || is32Bits(data.type)) return (data.values as BigInt64Array | Int32Array)[index];
    if (DataType.isDecimal(data.type)) return readWords(data.values as Uint32Array, index, wordsOf(data.type));
    return vector.get(row);
  }
  return null;
}

/** Whether two values of one column are the same. */
export function isSameValue(one: unknown, other: unknown): boolean {
  if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0;
  return Object.is(one, other);
}

function is64Bits(type: DataType): boolean {
  if (DataType.isTime(type)) return type.bitWidth === 64;
  return DataType.isTimestamp(type) || DataType.isDuration(type);
}

function is32Bits(type: DataType): boolean {
  if (DataType.isTime(type)) return type.bitWidth === 32;
  return DataType.isDate(type) && type.unit === DateUnit.DAY;
}

function wordsOf(type: Decimal): number {
  return type.bitWidth / 32;
}

/** Two's complement, the least word first. */
function writeWords(data: Uint32Array, row: number, words: number, value: bigint): void {
  for (let word = 0; word < words; word++)
    data[row * words + word] = Number((value >> BigInt(32 * word)) & 0xffffffffn);
}

function readWords(data: Uint32Array, row: number, words: number): bigint {
  let value = 0n;
  for (let word = words - 1; word >= 0; word--) value = (value << 32n) | BigInt(data[row * words + word] ?? 0);
  return BigInt.asIntN(32 * words, value);
}

/** As text for people: times in ISO 8601, decimals with their point. */
export function showCarried(name: string, value: CarriedValue): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value !== 'bigint' && typeof value !== 'number') return String(value);
  const [, unit, zone] = TIMESTAMP.exec(name) ?? [];
  if (unit !== undefined) return showTimestamp(BigInt(value), unit, zone !== undefined);
  if (name === 'date32[day]') return new Date(Number(value) * 86_400_000).toISOString().slice(0, 10);
  const [, , , scale] = DECIMAL.exec(name) ?? [];
  if (scale !== undefined) return showDecimal(BigInt(value), Number(scale));
  const [, counted] = /^(?:duration|time32|time64)\[(\w+)\]$/.exec(name) ?? [];
  return counted === undefined ? String(value) : `${value} ${counted}`;
}

function showTimestamp(value: bigint, unit: string, isUtc: boolean): string {
  const perSecond = 10n ** BigInt(3 * UNITS.indexOf(unit));
  const rest = ((value % perSecond) + perSecond) % perSecond;
  const seconds = (value - rest) / perSecond;
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return `${value} ${unit}`;
  const digits = String(perSecond).length - 1;
  const fraction = rest === 0n ? '' : `.${String(rest).padStart(digits, '0')}`;
  return `${date.toISOString().slice(0, 19)}${fraction}${isUtc ? 'Z' : ''}`;
}

function showDecimal(value: bigint, scale: number): string {
  if (scale <= 0) return String(value * 10n ** BigInt(-scale));
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
