// A deterministic run: the worker that begins it writes down what can change the last bits of a feature, and every other
// worker must have the same. For engine-process.ts.
import { z } from 'zod';
import { Refusal } from '../../../shared/src/errors.ts';
import { CONDITIONS_FILE, encodeJson } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';

/** What decides last bits beside the request. */
export const Conditions = z.strictObject({
  /** Model and count of the processors. */
  cpu: z.string(),
  /** Of the engine. */
  threads: z.int().min(1),
  versions: z.record(z.string(), z.string()),
});
export type Conditions = z.output<typeof Conditions>;

/**
 * Makes `mine` the conditions of the run where it has none yet.
 * @throws Refusal `conditions-differ`, naming each difference: another worker may have the same conditions
 */
export async function keepConditions(storage: Storage, mine: Conditions): Promise<void> {
  if ((await storage.read(CONDITIONS_FILE)) === undefined) await storage.createOnce(CONDITIONS_FILE, encodeJson(mine));
  const standing = parse(storage, await storage.read(CONDITIONS_FILE));
  const differences = differencesOf(standing, mine);
  if (differences.length === 0) return;
  throw new Refusal(
    'conditions-differ',
    `Expected the conditions that the deterministic run began with but ${differences.join('; ')}`,
    {
      hint: 'Work on it with the same versions, processor and --threads, or extract without --deterministic.',
    },
  );
}

function parse(storage: Storage, bytes: Uint8Array | undefined): Conditions {
  try {
    return Conditions.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new Refusal('run-unreadable', `Expected the conditions of the run in '${storage.root}/${CONDITIONS_FILE}'`, {
      hint: 'Delete that file if no shard is done yet, else extract into another directory.',
      cause,
    });
  }
}

function differencesOf(standing: Conditions, mine: Conditions): readonly string[] {
  const flat = ({ cpu, threads, versions }: Conditions): ReadonlyMap<string, string> =>
    new Map([['the processor', cpu], ['the number of engine threads', String(threads)], ...Object.entries(versions)]);
  const [before, now] = [flat(standing), flat(mine)];
  return [...new Set([...before.keys(), ...now.keys()])]
    .filter(name => before.get(name) !== now.get(name))
    .map(name => `${name} was ${before.get(name) ?? 'not there'} and is ${now.get(name) ?? 'not there'} here`);
}
