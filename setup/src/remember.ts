// Remembers in the cache what follows from its question and this build alone, for what every start would compute anew.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { publishFile } from './cache.ts';
import { lastingCache, madeFolders } from './made-cache.ts';

/** Digest of the sources that a build was made of, written by bootstrap.mjs; sources that run as they are have none. */
const STAMP = new URL('../../.stamp', import.meta.url);

export interface RememberOptions {
  /** @default `answers` in the cache */
  readonly folder?: string;
  /** @default that of this build; without one, everything is computed each time */
  readonly stamp?: string;
}

interface Kept<T> {
  readonly stamp: string;
  readonly answer: T;
}

/**
 * What `compute` gives, or what it gave before. Another build computes anew; where the cache cannot be written, every one does.
 * @param question JSON of all that decides the answer
 * @param compute gives JSON; what it throws is not kept
 */
export async function remember<T>(
  question: unknown,
  compute: () => Promise<T>,
  options: RememberOptions = {},
): Promise<T> {
  const stamp = options.stamp ?? (await readFile(STAMP, 'utf8').catch(() => undefined));
  if (stamp === undefined) return compute();
  const key = createHash('sha256').update(JSON.stringify(question)).digest('hex').slice(0, 32);
  const folders = options.folder === undefined ? madeFolders('answers').map(answersIn) : [options.folder];
  for (const folder of folders) {
    const kept = await readKept<T>(join(folder, `${key}.json`));
    if (kept?.stamp === stamp) return kept.answer;
  }
  const answer = await compute();
  const lasting = options.folder === undefined ? await lastingCache() : undefined;
  const target = lasting === undefined ? options.folder : answersIn(lasting);
  if (target === undefined) return answer;
  await publishFile(join(target, `${key}.json`), JSON.stringify({ stamp, answer } satisfies Kept<T>)).catch(
    () => undefined,
  );
  return answer;
}

function answersIn(cache: string): string {
  return join(cache, 'answers');
}

/** Nothing where none is, or a damaged one. */
async function readKept<T>(file: string): Promise<Kept<T> | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Kept<T>;
  } catch {
    return undefined;
  }
}
