// What a source passed over: counted by reason, with the first names, so that nobody wonders where images went.
import { z } from 'zod';

export const SKIP_REASONS = ['no-image', 'link-outside', 'linked-folder', 'link-circle'] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

export const Skipped = z.strictObject({
  reason: z.enum(SKIP_REASONS),
  count: z.int().min(1),
  /** The first of them in the order of the source, relative to it. */
  first: z.array(z.string()),
});
export type Skipped = z.output<typeof Skipped>;

const NAMES_KEPT = 5;
const WORDS: Readonly<Record<SkipReason, readonly [one: string, many: string]>> = {
  'no-image': ['file that is no image', 'files that are no image'],
  'link-outside': ['link to a file outside the source', 'links to files outside the source'],
  'linked-folder': ['link to a folder', 'links to folders'],
  'link-circle': ['link to a folder above itself', 'links to folders above themselves'],
};

/** Counts while a source is read. */
export interface SkipCounter {
  add(reason: SkipReason, name: string): void;
  all(): readonly Skipped[];
}

export function createSkipCounter(): SkipCounter {
  const counts = new Map<SkipReason, { count: number; readonly first: string[] }>();
  return {
    add(reason, name): void {
      const entry = counts.get(reason) ?? { count: 0, first: [] };
      counts.set(reason, entry);
      if (entry.count++ < NAMES_KEPT) entry.first.push(name);
    },
    all: () => [...counts].map(([reason, { count, first }]) => ({ reason, count, first })),
  };
}

/** "12 files that are no image, such as 'notes.txt'" */
export function describeSkipped({ reason, count, first }: Skipped): string {
  const words = WORDS[reason][count === 1 ? 0 : 1];
  const names = first.map(name => `'${name}'`).join(', ');
  return `${count.toLocaleString('en-US')} ${words}${count > first.length ? `, such as ${names}` : `: ${names}`}`;
}

/** Whether `--follow-links` would have taken them. */
export function isLink({ reason }: Skipped): boolean {
  return reason === 'link-outside' || reason === 'linked-folder';
}
