// Parquet lists: one row an image; columns keep their types, what is nested is carried as JSON.
import { DataType, type Field, type Vector } from 'apache-arrow';
import { type CarriedValue, nameOfType, valueAt } from '../../../../shared/src/carried-types.ts';
import { describeError, Refusal } from '../../../../shared/src/errors.ts';
import { readParquet, summarizeParquet } from '../../../../shared/src/parquet.ts';
import { type ListFormat, type ListRow, refuseList } from './list-format.ts';

export const parquetFormat: ListFormat = {
  extensions: ['.parquet'],
  open: async (path, recorded) => {
    const fields = await readFields(path);
    const codecs = fields.map(({ name, type }) => codecOf(type, recorded?.get(name)));
    const columns = fields.map(({ name, type }, index) => ({
      name,
      type: codecs[index]?.type,
      described: String(type),
    }));
    return { columns, unit: 'row', rows: () => readRows(path, codecs) };
  },
};

/** How a column is carried; `read` never meets a null. */
interface Codec {
  readonly type: string;
  readonly read: (vector: Vector, row: number) => CarriedValue;
}

async function readFields(path: string): Promise<readonly Field[]> {
  try {
    return (await summarizeParquet(path)).schema.fields;
  } catch (cause) {
    throw refuseFile(path, cause);
  }
}

/** One row group is in memory at a time. */
async function* readRows(path: string, codecs: readonly (Codec | undefined)[]): AsyncGenerator<ListRow> {
  let number = 0;
  try {
    for await (const batch of readParquet(path)) {
      const columns = codecs.map((codec, index) => ({ vector: batch.getChildAt(index), codec }));
      for (let row = 0; row < batch.numRows; row++) {
        const cells = columns.map(({ vector, codec }) =>
          codec === undefined || vector?.isValid(row) !== true ? null : codec.read(vector, row),
        );
        yield { number: ++number, cells };
      }
    }
  } catch (cause) {
    throw refuseFile(path, cause);
  }
}

/** @param recorded the type that the run has, which may be of an earlier version: then as that one read it */
function codecOf(type: DataType, recorded: string | undefined): Codec | undefined {
  const values: DataType = DataType.isDictionary(type) ? type.dictionary : type;
  const ways = [exactCodec(values, type !== values), widened(values), asText(values)].filter(
    codec => codec !== undefined,
  );
  return ways.find(codec => codec.type === recorded) ?? ways[0];
}

/** The very type, or the one that holds all of its values. */
function exactCodec(type: DataType, isDictionary: boolean): Codec | undefined {
  if (DataType.isLargeUtf8(type) || DataType.isUtf8View(type)) return { type: 'utf8', read: textOf };
  if (DataType.isLargeBinary(type) || DataType.isFixedSizeBinary(type) || DataType.isBinaryView(type))
    return { type: 'binary', read: plainValue };
  const name = nameOfType(type);
  if (name === undefined) return undefined;
  // A dictionary's own values are looked up by Arrow, which rounds times.
  if (isDictionary) return name === 'utf8' ? { type: name, read: textOf } : undefined;
  return { type: name, read: (vector, row) => valueAt(vector, row) as CarriedValue };
}

/** As runs of earlier versions have integers and floats. */
function widened(type: DataType): Codec | undefined {
  if (DataType.isFloat(type)) return { type: 'float64', read: (vector, row) => Number(vector.get(row)) };
  if (!DataType.isInt(type) || (type.bitWidth === 64 && !type.isSigned)) return undefined;
  return { type: 'int64', read: (vector, row) => BigInt(vector.get(row)) };
}

/** What has no type of its own in a part: JSON of what is nested, ISO 8601 of dates; and what earlier versions had as text. */
function asText(type: DataType): Codec | undefined {
  // Arrow counts none of its rows as null.
  if (DataType.isNull(type)) return { type: 'utf8', read: () => null };
  const format = textFormat(type);
  return format && { type: 'utf8', read: (vector, row) => format(vector.get(row)) };
}

function textFormat(type: DataType): ((value: unknown) => string) | undefined {
  if (DataType.isTimestamp(type)) return value => new Date(Number(value)).toISOString();
  if (DataType.isDate(type)) return value => new Date(Number(value)).toISOString().slice(0, 10);
  if (!isInJson(type)) return undefined;
  return isNested(type) ? toJson : String;
}

function isInJson(type: DataType): boolean {
  if (isNested(type)) return type.children.every(({ type: child }) => isInJson(child));
  return (
    DataType.isBool(type) ||
    DataType.isFloat(type) ||
    DataType.isInt(type) ||
    DataType.isUtf8(type) ||
    DataType.isLargeUtf8(type) ||
    DataType.isTimestamp(type) ||
    DataType.isDate(type) ||
    DataType.isNull(type)
  );
}

function textOf(vector: Vector, row: number): string {
  return String(vector.get(row));
}

function plainValue(vector: Vector, row: number): CarriedValue {
  return vector.get(row) as CarriedValue;
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
