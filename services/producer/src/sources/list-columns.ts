// Which column of a list is the path, which the sample id, and which are carried: for the list source.
import type { CarriedColumn } from '../../../../shared/src/manifest.ts';
import { ROW_COLUMNS } from '../../../../shared/src/row-schema.ts';
import type { SourceSettings } from '../../../../shared/src/source-options.ts';
import { type ListTable, refuseList } from './list-format.ts';

/** Names of the path column, in order of preference; capitals, blanks, underscores and dashes do not matter. */
const PATH_NAMES = [
  ...['path', 'uri', 'file', 'filename', 'filepath', 'image', 'imagepath', 'imagefile', 'imagefilename', 'imagename'],
  ...['imageuri', 'img', 'imgpath', 'imgfile', 'imgname', 'fname', 'fpath', 'imageid'],
  ...['url', 'imageurl', 'originalurl', 'cocourl'],
];
const ID_NAME = 'sample_id';
const LABEL = 'label';

export interface ListColumns {
  readonly path: number;
  /** Undefined where the path as written is the id. */
  readonly id: number | undefined;
  readonly carried: readonly CarriedCell[];
  /** The columns that are not carried although nobody said so, each with the reason. */
  readonly leftOut: readonly string[];
}

export interface CarriedCell {
  readonly column: CarriedColumn;
  /** In the list. */
  readonly index: number;
}

/** Finds the columns by name, or refuses the list with the names it has. */
export function chooseColumns(table: Pick<ListTable, 'columns'>, path: string, settings: SourceSettings): ListColumns {
  const { columns } = table;
  const names = columns.map(({ name }) => name);
  const texts = columns.map(({ name, type }) => (type === 'utf8' ? name : ''));
  const pathColumn =
    settings.pathColumn === undefined ? (findPathColumn(texts) ?? findPathColumn(names)) : indexOf(settings.pathColumn);
  if (pathColumn === undefined) {
    throw refuseList({
      path,
      expected: 'a path column',
      received: `the columns ${namesOf(names)}`,
      hint: `Say which it is with --path-column NAME, or name it ${PATH_NAMES.slice(0, 4).join(', ')} or ${PATH_NAMES[4]}.`,
    });
  }
  const type = columns[pathColumn]?.type;
  if (type !== 'utf8') {
    throw refuseList({ path, expected: `paths as text in \`${names[pathColumn]}\``, received: `a column of ${type}` });
  }
  const id = findIdColumn(names);
  const label = settings.labelColumn === undefined ? undefined : indexOf(settings.labelColumn);
  const wanted = new Set(settings.carry?.map(indexOf) ?? (settings.noCarry === true ? [] : names.keys()));
  if (label !== undefined) wanted.add(label);
  const leftOut: string[] = [];
  const carried = [...names.keys()].flatMap((index): CarriedCell[] => {
    const column = columns[index];
    if (column === undefined || !wanted.has(index) || index === pathColumn || index === id) return [];
    if (column.type === undefined) {
      leftOut.push(`\`${column.name}\` of ${column.described}, which no column of the output holds`);
      return [];
    }
    // The images themselves, most likely.
    if (column.type === 'binary' && settings.carry === undefined) {
      leftOut.push(`\`${column.name}\` of ${column.described}, which --carry takes`);
      return [];
    }
    return [{ index, column: { name: index === label ? LABEL : column.name, type: column.type } }];
  });
  for (const { column } of carried) refuseName(carried, column.name, path);
  return { path: pathColumn, id, carried, leftOut };

  function indexOf(name: string): number {
    const index = names.indexOf(name);
    if (index !== -1) return index;
    throw refuseList({ path, expected: `a column \`${name}\``, received: `the columns ${namesOf(names)}` });
  }
}

function namesOf(names: readonly string[]): string {
  return names.map(name => `\`${name}\``).join(', ');
}

export function findPathColumn(names: readonly string[]): number | undefined {
  const plain = names.map(name => name.toLowerCase().replaceAll(/[\s_-]/g, ''));
  return PATH_NAMES.map(name => plain.indexOf(name)).find(index => index !== -1);
}

export function findIdColumn(names: readonly string[]): number | undefined {
  const index = names.findIndex(name => name.toLowerCase() === ID_NAME);
  return index === -1 ? undefined : index;
}

function refuseName(carried: readonly CarriedCell[], name: string, path: string): void {
  if (ROW_COLUMNS.some(column => column === name)) {
    throw refuseList({
      path,
      expected: `carried columns that are not named ${ROW_COLUMNS.join(', ')}`,
      received: `\`${name}\``,
      hint: `Every output row has a \`${name}\` of its own: rename the list's, to \`list_${name}\` for example, or say with --carry which columns you want.`,
    });
  }
  if (carried.filter(({ column }) => column.name === name).length > 1) {
    throw refuseList({
      path,
      expected: 'columns of different names',
      received: `\`${name}\` twice`,
      hint: 'Rename one, or say with --carry which columns you want.',
    });
  }
}
