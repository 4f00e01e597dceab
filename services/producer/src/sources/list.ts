// A list file as a source: one image a row, by path; the list's other columns are carried into the output.
import { stat } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Sample } from '../../../../shared/src/manifest.ts';
import type { Source, SourceFormat } from '../source.ts';
import { chooseColumns, type ListColumns } from './list-columns.ts';
import { csvFormat, tsvFormat } from './list-csv.ts';
import { type ListFormat, type ListRow, type ListTable, refuseList } from './list-format.ts';
import { jsonFormat } from './list-json.ts';
import { parquetFormat } from './list-parquet.ts';
import { textFormat } from './list-text.ts';

/** A new kind of list is one file and one line here. */
const LIST_FORMATS: readonly ListFormat[] = [textFormat, csvFormat, tsvFormat, jsonFormat, parquetFormat];

const URL_SCHEME = /^(?:[a-z][a-z0-9+.-]+:\/\/|data:)/i;

export const listFormat: SourceFormat = {
  kind: 'list',
  accepts: `a list of paths (${LIST_FORMATS.flatMap(format => format.extensions).join(' ')})`,
  recognises: async location => formatOf(location) !== undefined && (await isFile(location)),
  open: openList,
};

async function openList(location: string): Promise<Source> {
  const path = resolve(location);
  const format = formatOf(path);
  if (format === undefined) throw new Error(`No list format for ${path}`);
  const table = await format.open(path);
  const columns = chooseColumns(table.columns, path);
  await refuseEmpty(table, path);
  return {
    kind: 'list',
    carried: columns.carried.flatMap(index => table.columns[index] ?? []),
    samples: () => streamSamples(table, columns, path),
  };
}

async function* streamSamples(table: ListTable, columns: ListColumns, path: string): AsyncGenerator<Sample> {
  const folder = dirname(path);
  for await (const row of table.rows()) {
    const entry: Entry = { path, place: `${table.unit} ${row.number}` };
    const written = readText(row.cells[columns.path], 'a path', entry);
    yield {
      sampleId: columns.id === undefined ? written : readText(row.cells[columns.id], 'a `sample_id`', entry),
      uri: resolve(folder, toLocalPath(written, entry)),
      carried: columns.carried.map(index => row.cells[index] ?? null),
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

function toLocalPath(written: string, entry: Entry): string {
  if (written.includes('\0')) throw refuseList({ ...entry, expected: 'a path', received: JSON.stringify(written) });
  if (!URL_SCHEME.test(written)) return written;
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

async function refuseEmpty(table: ListTable, path: string): Promise<void> {
  for await (const _ of table.rows()) return;
  throw refuseList({ path, expected: 'at least one path', received: 'none' });
}

function formatOf(location: string): ListFormat | undefined {
  const extension = extname(location).toLowerCase();
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
