// Paths of a list that another tool or system wrote in its own way: found where a plain change of all of them leads to files.
import { access } from 'node:fs/promises';
import type { CarriedValue } from '../../../../shared/src/carried-types.ts';

/** What is done to every row of a list. */
export interface PathRepair {
  path(written: string): string;
  value(cell: CarriedValue): CarriedValue;
}

interface NamedRepair extends PathRepair {
  /** For the note: "taken …" */
  readonly what: string;
}

const AS_WRITTEN: PathRepair = { path: written => written, value: cell => cell };

const trimmed = (cell: CarriedValue): CarriedValue => (typeof cell === 'string' ? cell.trim() : cell);
const forward = (written: string): string => written.replaceAll('\\', '/');

/** In this order: the first that finds most of the paths is taken. */
const REPAIRS: readonly NamedRepair[] = [
  { what: 'without the blanks around them', path: written => written.trim(), value: trimmed },
  { what: 'with / for \\, as Windows writes paths', path: forward, value: cell => cell },
  {
    what: 'without the blanks around them and with / for \\, as Windows writes paths',
    path: written => forward(written.trim()),
    value: trimmed,
  },
  { what: 'with the ending .jpg', path: written => `${written}.jpg`, value: cell => cell },
];

export interface ChosenRepair {
  readonly repair: PathRepair;
  /** For the user. */
  readonly notes: readonly string[];
}

/**
 * As they are written, where at least half of them are found so; else the repair that finds most of them, if one finds half.
 * @param writings the first paths of a list @param locate gives the absolute path
 */
export async function chooseRepair(
  writings: readonly string[],
  locate: (written: string) => string,
): Promise<ChosenRepair> {
  const countFound = async ({ path }: PathRepair): Promise<number> => {
    const found = await Promise.all(writings.map(written => exists(locate(path(written)))));
    return found.filter(Boolean).length;
  };
  const half = writings.length / 2;
  const asWritten = await countFound(AS_WRITTEN);
  if (asWritten >= half) return { repair: AS_WRITTEN, notes: [] };
  for (const repair of REPAIRS) {
    if ((await countFound(repair)) >= half) return { repair, notes: [`paths of the list are taken ${repair.what}`] };
  }
  const missing = writings.length - asWritten;
  const [first = ''] = writings;
  return {
    repair: AS_WRITTEN,
    notes: [
      `${missing} of the first ${writings.length} paths of the list are not found on this machine, such as ${locate(first)}: relative paths start from the folder of the list`,
    ],
  };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
