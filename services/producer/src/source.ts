// The source contract: where images come from. Implementations stand in sources/; a new one is one file and one line.
import type { CarriedColumn, Sample } from '../../../shared/src/manifest.ts';

/** An opened source: its carried columns are known before the first sample. */
export interface Source {
  /** What was recognised, for messages: "folder", "glob", "list". */
  readonly kind: string;
  readonly carried: readonly CarriedColumn[];
  /** The samples in their fixed order, streamed: never all in memory. May be iterated once. */
  samples(): AsyncIterable<Sample>;
}

export interface SourceFormat {
  readonly kind: string;
  /** Whether this format takes the user's SOURCE argument. */
  recognises(location: string): Promise<boolean>;
  /** Opens it, or refuses (`source-unreadable`) with what was expected and what to do. */
  open(location: string): Promise<Source>;
}
