// The contract of a list's file format: what the list source reads rows from. One file list-*.ts each.

import type { CarriedValue } from '../../../../shared/src/carried-types.ts';
import { Refusal } from '../../../../shared/src/errors.ts';

export interface ListFormat {
  /** File name endings, lower case, with the dot. */
  readonly extensions: readonly string[];
  /** Reads columns and their types, at most the first rows. */
  open(path: string, recorded?: RecordedTypes): Promise<ListTable>;
}

/** The types that the columns have in the run that is extended, by name. */
export type RecordedTypes = ReadonlyMap<string, string>;

export interface ListTable {
  /** All columns of the list, those of path and id among them. */
  readonly columns: readonly ListColumn[];
  /** What `ListRow.number` counts. */
  readonly unit: 'line' | 'row';
  /** The rows from the first on, streamed; each call reads the file anew. */
  rows(): AsyncIterable<ListRow>;
}

/** `type` is undefined where it cannot be carried: then `described` says what it is. */
export interface ListColumn {
  readonly name: string;
  readonly type: string | undefined;
  readonly described?: string;
}

export interface ListRow {
  /** Where the row stands in the file, from 1: its line, or its first line where it has several. */
  readonly number: number;
  /** One value a column. */
  readonly cells: readonly CarriedValue[];
}

export interface BadListEntry {
  /** Path of the list. */
  readonly path: string;
  /** Such as "line 7"; left out where the whole file is meant. */
  readonly place?: string;
  readonly expected: string;
  readonly received: string;
  readonly hint?: string;
  readonly cause?: unknown;
}

/** A list is refused at its first bad entry: a left-out line would be a lost row. */
export function refuseList({ path, place, expected, received, hint, cause }: BadListEntry): Refusal {
  const where = place === undefined ? path : `${path}, ${place},`;
  return new Refusal('source-unreadable', `Expected ${expected} in ${where} but received ${received}`, {
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}
