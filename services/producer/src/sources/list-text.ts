// A text list: one path a line; blank lines and lines that start with # are passed over.
import type { ListFormat, ListRow } from './list-format.ts';
import { readLines } from './text-file.ts';

export const textFormat: ListFormat = {
  extensions: ['.txt'],
  open: async path => ({
    columns: [{ name: 'path', type: 'utf8' }],
    unit: 'line',
    rows: () => readRows(path),
  }),
};

async function* readRows(path: string): AsyncGenerator<ListRow> {
  let number = 0;
  for await (const lines of readLines(path)) {
    for (const line of lines) {
      number++;
      if (line.startsWith('#') || line.trim() === '') continue;
      yield { number, cells: [line] };
    }
  }
}
