// Which column of a list is the path, which the sample id, and which are carried: for the list source.
import type { CarriedColumn } from '../../../../shared/src/manifest.ts';
import { ROW_COLUMNS } from '../../../../shared/src/row-schema.ts';
import { refuseList } from './list-format.ts';

/** Names of the path column, in order of preference; capitals do not matter. */
const PATH_NAMES = ['path', 'uri', 'file', 'filename', 'filepath', 'image', 'image_path', 'image_uri', 'url'];
const ID_NAME = 'sample_id';

export interface ListColumns {
  readonly path: number;
  /** Undefined where the path as written is the id. */
  readonly id: number | undefined;
  readonly carried: readonly number[];
}

/** Finds the columns by name, or refuses the list with the names it has. */
export function chooseColumns(columns: readonly CarriedColumn[], path: string): ListColumns {
  const names = columns.map(column => column.name);
  const pathColumn = findPathColumn(names);
  if (pathColumn === undefined) {
    const received = `the columns ${names.map(name => `\`${name}\``).join(', ')}`;
    throw refuseList({ path, expected: 'a path column', received, hint: `Name it one of ${PATH_NAMES.join(', ')}.` });
  }
  const type = columns[pathColumn]?.type;
  if (type !== 'utf8') {
    throw refuseList({ path, expected: `paths as text in \`${names[pathColumn]}\``, received: `a column of ${type}` });
  }
  const id = findIdColumn(names);
  const carried = [...names.keys()].filter(index => index !== pathColumn && index !== id);
  for (const index of carried) refuseName(names, index, path);
  return { path: pathColumn, id, carried };
}

export function findPathColumn(names: readonly string[]): number | undefined {
  const lower = names.map(name => name.toLowerCase());
  return PATH_NAMES.map(name => lower.indexOf(name)).find(index => index !== -1);
}

export function findIdColumn(names: readonly string[]): number | undefined {
  const index = names.findIndex(name => name.toLowerCase() === ID_NAME);
  return index === -1 ? undefined : index;
}

function refuseName(names: readonly string[], index: number, path: string): void {
  const name = names[index] ?? '';
  if (ROW_COLUMNS.some(column => column === name)) {
    throw refuseList({
      path,
      expected: `carried columns that are not named ${ROW_COLUMNS.join(', ')}`,
      received: `\`${name}\``,
      hint: `Every output row has a \`${name}\` of its own: rename the list's, to \`list_${name}\` for example.`,
    });
  }
  if (names.indexOf(name) !== index) {
    throw refuseList({
      path,
      expected: 'columns of different names',
      received: `\`${name}\` twice`,
      hint: 'Rename one.',
    });
  }
}
