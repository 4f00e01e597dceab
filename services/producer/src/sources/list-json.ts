// JSON Lines lists: one object a line; the types of the columns are inferred from the first records.

import type { CarriedValue } from '../../../../shared/src/carried-types.ts';
import { describeError } from '../../../../shared/src/errors.ts';
import type { CarriedColumn } from '../../../../shared/src/manifest.ts';
import { findIdColumn, findPathColumn } from './list-columns.ts';
import { type ListFormat, type ListRow, refuseList } from './list-format.ts';
import { readLines } from './text-file.ts';

/** Records that decide the columns: those behind them must fit, or are refused. */
const INFERENCE_RECORDS = 1_000;

export const jsonFormat: ListFormat = {
  extensions: ['.jsonl', '.ndjson'],
  open: async path => {
    const columns = await inferColumns(path);
    return { columns: columns.map(toCarried), unit: 'line', rows: () => readRows(path, columns) };
  },
};

/** A column's kind: an Arrow type, text of an id (written as a text or a number), or JSON text of whatever comes. */
type JsonKind = 'utf8' | 'int64' | 'float64' | 'bool' | 'id' | 'json';

interface JsonColumn {
  readonly name: string;
  readonly kind: JsonKind;
}

interface JsonRecord {
  readonly line: number;
  readonly values: Readonly<Record<string, unknown>>;
}

async function* readRows(path: string, columns: readonly JsonColumn[]): AsyncGenerator<ListRow> {
  const known = new Set(columns.map(column => column.name));
  for await (const { line, values } of readRecords(path)) {
    const unknown = Object.keys(values).find(name => !known.has(name));
    if (unknown !== undefined) {
      const expected = `the columns of the first ${INFERENCE_RECORDS} records`;
      throw refuseList({ path, place: `line ${line}`, expected, received: `\`${unknown}\`` });
    }
    yield {
      number: line,
      cells: columns.map(column => encodeValue(column, ownValue(values, column.name), path, line)),
    };
  }
}

async function inferColumns(path: string): Promise<readonly JsonColumn[]> {
  const kinds = new Map<string, JsonKind | undefined>();
  let count = 0;
  for await (const { values } of readRecords(path)) {
    for (const [name, value] of Object.entries(values)) kinds.set(name, widen(kinds.get(name), value));
    if (++count === INFERENCE_RECORDS) break;
  }
  if (count === 0) throw refuseList({ path, expected: 'at least one JSON object', received: 'none' });
  const names = [...kinds.keys()];
  const pathColumn = findPathColumn(names);
  const idColumn = findIdColumn(names);
  return names.map((name, index): JsonColumn => {
    if (index === pathColumn) return { name, kind: 'utf8' };
    return { name, kind: index === idColumn ? 'id' : (kinds.get(name) ?? 'utf8') };
  });
}

/** The kind that holds both the values so far and this one. */
function widen(kind: JsonKind | undefined, value: unknown): JsonKind | undefined {
  if (value === null) return kind;
  const own = kindOf(value);
  if (kind === undefined || kind === own) return own;
  const bothNumbers = [kind, own].every(one => one === 'int64' || one === 'float64');
  return bothNumbers ? 'float64' : 'json';
}

function kindOf(value: unknown): JsonKind {
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'int64' : 'float64';
  return typeof value === 'string' ? 'utf8' : 'json';
}

function encodeValue({ name, kind }: JsonColumn, value: unknown, path: string, line: number): CarriedValue {
  if (value === null || value === undefined) return null;
  if (kind === 'json') return JSON.stringify(value);
  if (kind === 'utf8' && typeof value === 'string') return value;
  if (kind === 'bool' && typeof value === 'boolean') return value;
  if (kind === 'float64' && typeof value === 'number' && !isRounded(value)) return value;
  if (kind === 'int64' && Number.isSafeInteger(value)) return BigInt(value as number);
  if (kind === 'id' && (typeof value === 'string' || Number.isSafeInteger(value))) return String(value);
  throw refuseList({
    path,
    place: `line ${line}`,
    expected: `${describeKind(kind)} for \`${name}\``,
    received: JSON.stringify(value).slice(0, 200),
    hint:
      typeof value === 'number' && isRounded(value)
        ? 'Write whole numbers beyond 2^53 as text: JSON readers round them.'
        : `The first ${INFERENCE_RECORDS} records decide a column's type: write every value in one type.`,
  });
}

/** JSON.parse has rounded it already: an id of 19 digits would come out as its neighbour's. */
function isRounded(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 2 ** 64;
}

function describeKind(kind: JsonKind): string {
  return kind === 'id' ? 'text or a whole number below 2^53' : kind === 'utf8' ? 'text' : kind;
}

/** Own properties alone: a column named `constructor` is a column. */
function ownValue(values: JsonRecord['values'], name: string): unknown {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

async function* readRecords(path: string): AsyncGenerator<JsonRecord> {
  let line = 0;
  for await (const lines of readLines(path)) {
    for (const text of lines) {
      line++;
      if (text.trim() !== '') yield { line, values: parseRecord(text, path, line) };
    }
  }
}

function parseRecord(text: string, path: string, line: number): JsonRecord['values'] {
  const place = `line ${line}`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refuseList({ path, place, expected: 'one JSON object', received: `this: ${describeError(cause)}`, cause });
  }
  if (isRecord(value)) return value;
  throw refuseList({ path, place, expected: 'one JSON object', received: text.slice(0, 200) });
}

function isRecord(value: unknown): value is JsonRecord['values'] {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function toCarried({ name, kind }: JsonColumn): CarriedColumn {
  return { name, type: kind === 'id' || kind === 'json' ? 'utf8' : kind };
}
