// Parquet lists: one row an image; integers, floats, booleans and text keep their types, the rest is carried as text.
import { DataType, type Field } from 'apache-arrow';
import { describeError, Refusal } from '../../../../shared/src/errors.ts';
import type { CarriedType, CarriedValue } from '../../../../shared/src/manifest.ts';
import { readParquet, summarizeParquet } from '../../../../shared/src/parquet.ts';
import { type ListFormat, type ListRow, refuseList } from './list-format.ts';

export const parquetFormat: ListFormat = {
  extensions: ['.parquet'],
  open: async path => {
    const fields = await readFields(path);
    const codecs = fields.map(field => codecOf(field, path));
    const columns = fields.map((field, index) => ({ name: field.name, type: codecs[index]?.type ?? 'utf8' }));
    return { columns, unit: 'row', rows: () => readRows(path, codecs) };
  },
};

/** How an Arrow column becomes a carried one; `encode` never sees null. */
interface Codec {
  readonly type: CarriedType;
  readonly encode: (value: unknown) => CarriedValue;
}

async function readFields(path: string): Promise<readonly Field[]> {
  try {
    return (await summarizeParquet(path)).schema.fields;
  } catch (cause) {
    throw refuseFile(path, cause);
  }
}

/** One row group is in memory at a time. */
async function* readRows(path: string, codecs: readonly Codec[]): AsyncGenerator<ListRow> {
  let number = 0;
  try {
    for await (const batch of readParquet(path)) {
      const columns = codecs.map((codec, index) => ({ vector: batch.getChildAt(index), encode: codec.encode }));
      for (let row = 0; row < batch.numRows; row++) {
        const cells = columns.map(({ vector, encode }) => {
          const value: unknown = vector?.get(row) ?? null;
          return value === null ? null : encode(value);
        });
        yield { number: ++number, cells };
      }
    }
  } catch (cause) {
    throw refuseFile(path, cause);
  }
}

function codecOf({ name, type }: Field, path: string): Codec {
  const values: DataType = DataType.isDictionary(type) ? type.dictionary : type;
  const codec = findCodec(values);
  if (codec !== undefined) return codec;
  throw refuseList({
    path,
    expected: 'columns of integers, floats, booleans, text, dates or nested lists of those',
    received: `\`${name}\` of ${values}`,
    hint: 'Leave the column out, or cast it to text.',
  });
}

function findCodec(type: DataType): Codec | undefined {
  if (DataType.isBool(type)) return { type: 'bool', encode: value => value === true };
  if (DataType.isFloat(type)) return { type: 'float64', encode: Number };
  if (DataType.isInt(type)) return intCodec(type.isSigned, type.bitWidth);
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isNull(type)) return textCodec(String);
  if (DataType.isTimestamp(type)) return textCodec(value => new Date(Number(value)).toISOString());
  if (DataType.isDate(type)) return textCodec(value => new Date(Number(value)).toISOString().slice(0, 10));
  return isNested(type) && type.children.every(({ type: child }) => findCodec(child) !== undefined)
    ? textCodec(toJson)
    : undefined;
}

/** Unsigned 64-bit numbers, hashes for example, need not fit into int64. */
function intCodec(isSigned: boolean, bits: number): Codec {
  if (!isSigned && bits === 64) return textCodec(String);
  return { type: 'int64', encode: value => BigInt(value as number | bigint) };
}

function textCodec(encode: (value: unknown) => string): Codec {
  return { type: 'utf8', encode };
}

function isNested(type: DataType): boolean {
  return DataType.isList(type) || DataType.isFixedSizeList(type) || DataType.isStruct(type) || DataType.isMap(type);
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? safeNumber(inner) : inner));
}

/** JSON has no integers beyond 2^53: as text they keep every digit. */
function safeNumber(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

function refuseFile(path: string, cause: unknown): Error {
  if (cause instanceof Refusal) return cause;
  const received = `this: ${describeError(cause)}`;
  return refuseList({ path, expected: 'a readable Parquet file', received, cause });
}
