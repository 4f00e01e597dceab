// Errors that speak to the user: what was expected, what came, what to do. For every room of the house.

/** Why a command was refused or a run stopped; stable, documented, machine-readable. */
export type RefusalCode =
  | 'bad-option'
  | 'source-unreadable'
  | 'duplicate-sample'
  | 'model-unreadable'
  | 'model-mismatch'
  | 'unknown-layer'
  | 'unknown-sample'
  | 'recipe-missing'
  | 'recipe-mismatch'
  | 'engine-unavailable'
  | 'conditions-differ'
  | 'not-allowed'
  | 'run-mismatch'
  | 'run-missing'
  | 'run-unreadable'
  | 'run-incomplete'
  | 'too-many-failed'
  | 'all-failed'
  | 'output-unwritable'
  | 'cache-unwritable'
  | 'queue-unreachable'
  | 'queue-unsuitable'
  | 'job-version'
  | 'interrupted';

export interface RefusalOptions {
  /** What the user can do about it, one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** The user's path at which there is nothing. */
  readonly emptyPath?: string;
}

/**
 * An expected failure that ends a command: shown as one or two lines, without a stack.
 * A bug throws any other Error and shows its stack.
 */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly hint: string | undefined;
  readonly emptyPath: string | undefined;

  constructor(code: RefusalCode, message: string, options: RefusalOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Refusal';
    this.code = code;
    this.hint = options.hint;
    this.emptyPath = options.emptyPath;
  }

  /** Exit status of the command line: 2 for wrong usage, 1 for everything else. */
  get exitCode(): number {
    return this.code === 'bad-option' ? 2 : 1;
  }
}

/** Why one sample has no features; the closed list of `error_code` values. */
export const SAMPLE_ERROR_CODES = [
  'not-found',
  'not-allowed',
  'unreadable',
  'empty-file',
  'file-too-large',
  'unsupported-format',
  'corrupt-image',
  'image-too-large',
  'decode-timeout',
  'crashed-worker',
] as const;

export type SampleErrorCode = (typeof SAMPLE_ERROR_CODES)[number];

/** An expected failure of one sample: a value, because it becomes a row. */
export interface SampleFailure {
  readonly code: SampleErrorCode;
  readonly message: string;
}

/** One line for a log or a row: the message with those of its causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `: ${describeError(error.cause)}`;
  return `${error.message}${cause}`;
}

/** True for a Node.js system error with that code, such as ENOENT. */
export function hasErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** The names nearest to `name`, by edit distance: for "did you mean". */
export function nearestNames(name: string, names: readonly string[], count = 5): readonly string[] {
  const wanted = name.toLowerCase();
  return names
    .map(candidate => ({ candidate, distance: nameDistance(wanted, candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ candidate }) => candidate);
}

/** Levenshtein distance; a name that contains the other counts as near. */
function nameDistance(a: string, b: string): number {
  if (a !== '' && (b.includes(a) || a.includes(b))) return Math.abs(a.length - b.length) / 100;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
