// How many images of a run may fail before going on is of no use; what is said when they were too many.
import { z } from 'zod';
import { Refusal } from './errors.ts';
import { addCounts } from './receipt.ts';

/** So many rows, or so large a share of all rows. */
export type FailedBound = { readonly rows: number } | { readonly percent: number };

export const failedBoundOptions = {
  maxFailed: z
    .string()
    .optional()
    .transform((text, context): FailedBound | undefined => {
      if (text === undefined) return undefined;
      if (/^\d+$/.test(text)) return { rows: Number(text) };
      const percent = /^\d+(\.\d+)?%$/.test(text) ? Number.parseFloat(text) : Number.NaN;
      if (percent <= 100) return { percent };
      context.addIssue('a share such as 5% or a number of images');
      return z.NEVER;
    })
    .meta({
      description: 'Stop once more images than this have failed: a share of all, such as 5%, or a number',
      value: 'N|N%',
    }),
} as const;

export interface FailedCounts {
  readonly rows: number;
  readonly failed: number;
  /** Per error code. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Counts failures shard by shard. */
export interface FailureTally {
  /** @param failures of one shard, per error code */
  add(failures: Readonly<Record<string, number>>): void;
  /** Why the run should stop, while it need not. */
  refusal(): Refusal | undefined;
}

/** @param rows of the whole run @param out its directory */
export function createFailureTally(bound: FailedBound | undefined, rows: number, out: string): FailureTally {
  const failures: Record<string, number> = {};
  return {
    add: more => addCounts(failures, more),
    refusal(): Refusal | undefined {
      const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
      if (bound === undefined || failed <= mostFailed(bound, rows)) return undefined;
      const allowed = 'rows' in bound ? String(bound.rows) : `${bound.percent}%`;
      return new Refusal(
        'too-many-failed',
        `Expected at most ${allowed} of ${rows} images to fail but ${failed} did so far: ${commonest(failures)}`,
        {
          hint: failedHint(out, `Nothing that is done is lost: \`npx layertap resume ${out}\` goes on with the rest.`),
        },
      );
    },
  };
}

/** Who does not stay sees no failure. */
export function requireWaiting(bound: FailedBound | undefined, waits: boolean): void {
  if (bound === undefined || waits) return;
  throw new Refusal('bad-option', 'Expected `--wait` with `--max-failed` but the command would end before the work', {
    hint: 'Add --wait: it counts the failures as shards are done.',
  });
}

/** A run in which no image has features has done nothing for its user, however well it ended. */
export function requireFeatures({ rows, failed, failures }: FailedCounts, out: string): void {
  if (rows === 0 || failed < rows) return;
  throw new Refusal(
    'all-failed',
    `Expected features of ${rows === 1 ? '1 image but it' : `${rows} images but all of them`} failed: ${commonest(failures)}`,
    {
      hint: failedHint(out, `Once the cause is mended, \`npx layertap retry-failed ${out}\` does them again.`),
    },
  );
}

function mostFailed(bound: FailedBound, rows: number): number {
  return 'rows' in bound ? bound.rows : (bound.percent / 100) * rows;
}

function commonest(failures: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(failures).sort(([, a], [, b]) => b - a);
  return sorted.map(([code, count]) => `${count} ${code}`).join(', ');
}

function failedHint(out: string, goOn: string): string {
  return `\`npx layertap show ${out} --failed\` shows images and reasons. ${goOn}`;
}
