// Lists of separated values with a header row; every value is text, an empty one is null.
import { pipeline, Readable } from 'node:stream';
import { CsvError, type Parser, parse } from 'csv-parse';
import { describeError } from '../../../../shared/src/errors.ts';
import type { CarriedColumn } from '../../../../shared/src/manifest.ts';
import { type ListFormat, type ListRow, type ListTable, refuseList } from './list-format.ts';
import { MAX_LINE_CHARS, readLines, readText } from './text-file.ts';

export const csvFormat: ListFormat = {
  extensions: ['.csv'],
  open: async path => openTable(path, await dialectOf(path)),
};
export const tsvFormat: ListFormat = {
  extensions: ['.tsv', '.tab'],
  open: path => openTable(path, { delimiter: '\t', skipped: 0 }),
};

interface Dialect {
  readonly delimiter: string;
  /** Lines before the header. */
  readonly skipped: number;
}

const HINT = 'Every row needs as many values as the header; values with delimiters or quotes go in "…", a quote as "".';

interface CsvRecord {
  /** Where it begins. */
  readonly line: number;
  readonly values: readonly string[];
}

async function openTable(path: string, dialect: Dialect): Promise<ListTable> {
  return { columns: await readHeader(path, dialect), unit: 'line', rows: () => readRows(path, dialect) };
}

/** Excel says it in a first line `sep=;`; else the one that separates most of the header, a comma before all others. */
async function dialectOf(path: string): Promise<Dialect> {
  for await (const [first = ''] of readLines(path)) {
    const said = /^"?sep=(.)"?$/i.exec(first.trim())?.[1];
    if (said !== undefined) return { delimiter: said, skipped: 1 };
    const plain = first.replaceAll(/"[^"]*"/g, '');
    const count = (delimiter: string): number => plain.split(delimiter).length;
    const [most = ','] = [',', ';', '\t', '|'].sort((a, b) => count(b) - count(a));
    return { delimiter: most, skipped: 0 };
  }
  return { delimiter: ',', skipped: 0 };
}

async function readHeader(path: string, dialect: Dialect): Promise<readonly CarriedColumn[]> {
  for await (const { values } of readRecords(path, dialect)) {
    // pandas writes its index under an empty name.
    return values.map((name, index) => ({ name: name.trim() || `column_${index + 1}`, type: 'utf8' }));
  }
  throw refuseList({ path, expected: 'a header row', received: 'an empty file' });
}

async function* readRows(path: string, dialect: Dialect): AsyncGenerator<ListRow> {
  let width: number | undefined;
  for await (const { line, values } of readRecords(path, dialect)) {
    if (width === undefined) {
      width = values.length;
      continue;
    }
    if (values.length !== width) {
      const expected = `${width} values as in the header`;
      throw refuseList({ path, place: `line ${line}`, expected, received: `${values.length}`, hint: HINT });
    }
    yield { number: line, cells: values.map(value => (value === '' ? null : value)) };
  }
}

/** Header and rows alike, without blank lines. */
async function* readRecords(path: string, { delimiter, skipped }: Dialect): AsyncGenerator<CsvRecord> {
  const parser = parse({
    delimiter,
    from_line: skipped + 1,
    // Widths are checked in readRows: a blank line must come through to be counted.
    relax_column_count: true,
    // An open quote takes all that follows for one record.
    max_record_size: MAX_LINE_CHARS,
  });
  // The parser's own iteration reports what goes wrong anywhere in the pipe.
  pipeline(Readable.from(readText(path)), parser, () => {});
  // Counted here, because the parser's `info` for every record takes as long as the parsing.
  let line = skipped + 1;
  try {
    for await (const values of parser as AsyncIterable<readonly string[]>) {
      if (values.length > 1 || values[0] !== '') yield { line, values };
      line += 1 + countLineEnds(values);
    }
  } catch (cause) {
    throw cause instanceof CsvError ? refuseRecord(path, parser, cause) : cause;
  }
}

function countLineEnds(values: readonly string[]): number {
  let count = 0;
  for (const value of values) if (value.includes('\n')) count += value.split('\n').length - 1;
  return count;
}

function refuseRecord(path: string, parser: Parser, cause: CsvError): Error {
  const place = `line ${parser.info.lines}`;
  const received = `this: ${describeError(cause)}`;
  return refuseList({ path, place, expected: 'well-formed rows', received, hint: HINT, cause });
}
