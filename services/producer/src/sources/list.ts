// A list file as a source: one image a row, by path; the list's other columns are carried into the output.
import { stat } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Sample } from '../../../../shared/src/manifest.ts';
import type { OpenSourceOptions, Source, SourceFormat } from '../source.ts';
import { chooseColumns, type ListColumns } from './list-columns.ts';
import { csvFormat, tsvFormat } from './list-csv.ts';
import { type ListFormat, type ListRow, type ListTable, refuseList } from './list-format.ts';
import { jsonFormat } from './list-json.ts';
import { parquetFormat } from './list-parquet.ts';
import { textFormat } from './list-text.ts';
import { chooseRepair, type PathRepair } from './path-repair.ts';

/** A new kind of list is one file and one line here. */
const LIST_FORMATS: readonly ListFormat[] = [textFormat, csvFormat, tsvFormat, jsonFormat, parquetFormat];

/** So many of the first paths decide whether all are written in a way of another system. */
const PROBED_PATHS = 200;

const URL_SCHEME = /^(?:[a-z][a-z0-9+.-]+:\/\/|data:)/i;

export const listFormat: SourceFormat = {
  kind: 'list',
  accepts: `a list of paths (${LIST_FORMATS.flatMap(format => format.extensions).join(' ')}, text also as .gz)`,
  recognises: async location => formatOf(location) !== undefined && (await isFile(location)),
  open: openList,
};

async function openList(location: string, { recorded, ...settings }: OpenSourceOptions): Promise<Source> {
  const path = resolve(location);
  const format = formatOf(path);
  if (format === undefined) throw new Error(`No list format for ${path}`);
  const types = recorded && new Map(recorded.map(({ name, type }) => [name, type]));
  const table = await format.open(path, types);
  const columns = chooseColumns(table, path, settings);
  const writings = await firstPaths(table, columns, path);
  if (writings.length === 0) throw refuseList({ path, expected: 'at least one path', received: 'none' });
  const { repair, notes } = await chooseRepair(writings, written =>
    toLocalPath(dirname(path), written, { path, place: 'one of the first rows' }),
  );
  return {
    kind: 'list',
    carried: columns.carried.map(({ column }) => column),
    samples: () => streamSamples(table, columns, path, repair),
    notes: [
      ...notes,
      ...(columns.leftOut.length === 0 ? [] : [`columns that are not carried: ${columns.leftOut.join('; ')}`]),
    ],
  };
}

async function firstPaths(table: ListTable, columns: ListColumns, path: string): Promise<readonly string[]> {
  const writings: string[] = [];
  for await (const row of table.rows()) {
    const entry = { path, place: `${table.unit} ${row.number}` };
    const written = readText(row.cells[columns.path], 'a path', entry);
    // Refused here, with its place, where it is none.
    toLocalPath(dirname(path), written, entry);
    writings.push(written);
    if (writings.length === PROBED_PATHS) break;
  }
  return writings;
}

async function* streamSamples(
  table: ListTable,
  columns: ListColumns,
  path: string,
  repair: PathRepair,
): AsyncGenerator<Sample> {
  const folder = dirname(path);
  for await (const row of table.rows()) {
    const entry: Entry = { path, place: `${table.unit} ${row.number}` };
    const written = readText(row.cells[columns.path], 'a path', entry);
    yield {
      sampleId: columns.id === undefined ? written : readText(row.cells[columns.id], 'a `sample_id`', entry),
      uri: toLocalPath(folder, repair.path(written), entry),
      carried: columns.carried.map(({ index }) => repair.value(row.cells[index] ?? null)),
    };
  }
}

/** Where a value stands, for the message that refuses it. */
interface Entry {
  readonly path: string;
  readonly place: string;
}

function readText(cell: ListRow['cells'][number] | undefined, expected: string, entry: Entry): string {
  const text = String(cell ?? '');
  if (text.trim() === '') throw refuseList({ ...entry, expected, received: 'none' });
  return text;
}

/** @param folder of the list, which relative paths start from */
function toLocalPath(folder: string, written: string, entry: Entry): string {
  if (written.includes('\0')) throw refuseList({ ...entry, expected: 'a path', received: JSON.stringify(written) });
  if (!URL_SCHEME.test(written)) return resolve(folder, written);
  if (/^file:/i.test(written)) return fromFileUrl(written, entry);
  const hint = 'Images are read from local paths only, for now: download them and list the files.';
  throw refuseList({ ...entry, expected: 'a local path', received: `"${written.slice(0, 200)}"`, hint });
}

function fromFileUrl(written: string, entry: Entry): string {
  try {
    return fileURLToPath(written);
  } catch (cause) {
    throw refuseList({ ...entry, expected: 'a file:// URL of a local path', received: `"${written}"`, cause });
  }
}

function formatOf(location: string): ListFormat | undefined {
  const plain = location.replace(/\.gz$/i, '');
  const extension = extname(plain).toLowerCase();
  // Parquet is compressed by itself, and read from its end.
  if (plain !== location && extension === '.parquet') return undefined;
  return LIST_FORMATS.find(format => format.extensions.includes(extension));
}

async function isFile(location: string): Promise<boolean> {
  try {
    return (await stat(location)).isFile();
  } catch {
    // openSource says what stands in the way, once no format takes the location.
    return false;
  }
}
