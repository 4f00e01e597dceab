// The source contract: where images come from. Implementations stand in sources/; a new one is one file and one line.
import { stat } from 'node:fs/promises';
import { describeError, Refusal } from '../../../shared/src/errors.ts';
import type { CarriedColumn, Sample } from '../../../shared/src/manifest.ts';
import type { Skipped } from '../../../shared/src/skipped.ts';
import type { SourceSettings } from '../../../shared/src/source-options.ts';
import { folderFormat } from './sources/folder.ts';
import { globFormat } from './sources/glob.ts';
import { listFormat } from './sources/list.ts';

/** An opened source: its carried columns are known before the first sample. */
export interface Source {
  /** What was recognised, for messages: "folder", "glob", "list". */
  readonly kind: string;
  readonly carried: readonly CarriedColumn[];
  /** The samples in their fixed order, streamed: never all in memory. May be iterated once. */
  samples(): AsyncIterable<Sample>;
  /** What the user should know of how it is read, one line each. */
  readonly notes?: readonly string[];
  /** What was passed over, once the samples are through. */
  skipped?(): readonly Skipped[];
}

export interface OpenSourceOptions extends SourceSettings {
  /** Whether the folders right below the root are splits of a data set. @default as their names say */
  readonly splits?: boolean;
  /** The columns that a run has which is extended: they are read as its version read them. @default with their own types */
  readonly recorded?: readonly CarriedColumn[];
}

export interface SourceFormat {
  readonly kind: string;
  /** What the user may give, in words: named where no format takes the argument. */
  readonly accepts: string;
  /** Whether this format takes the user's SOURCE argument. */
  recognises(location: string): Promise<boolean>;
  /** Opens it, or refuses (`source-unreadable`) with what was expected and what to do. */
  open(location: string, options: OpenSourceOptions): Promise<Source>;
}

/** Asked in this order: the first that recognises the location opens it. */
export const SOURCE_FORMATS: readonly SourceFormat[] = [folderFormat, listFormat, globFormat];

/** Opens what the user gave as SOURCE, or refuses with what is accepted. */
export async function openSource(location: string, options: OpenSourceOptions = {}): Promise<Source> {
  for (const format of SOURCE_FORMATS) {
    if (await format.recognises(location)) return format.open(location, options);
  }
  const accepted = SOURCE_FORMATS.map(format => format.accepts).join(', ');
  throw new Refusal(
    'source-unreadable',
    `Expected an image source for \`source\` but received "${location}" (${await describeLocation(location)})`,
    { hint: `Give one of these: ${accepted}.`, emptyPath: location },
  );
}

async function describeLocation(location: string): Promise<string> {
  try {
    return (await stat(location)).isFile() ? 'a file that is no list' : 'neither a folder nor a file';
  } catch (error) {
    return describeError(error);
  }
}
