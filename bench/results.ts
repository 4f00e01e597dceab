// The results of one benchmark: everything that was measured, as the report shows it and `--out` keeps it.
import { appendFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Measurement } from './contestant.ts';
import type { Likeness } from './contestants/keras.ts';
import type { FlowResult } from './flow.ts';
import type { Machine } from './machine.ts';
import { boundOf, type StageCosts } from './stage-costs.ts';
import { ratioSpread, type Spread, spreadOf } from './statistics.ts';

export type ContestantKey = 'pipeline' | 'redis' | 'engine' | 'keras';

export type Round = Readonly<Partial<Record<ContestantKey, Measurement>>>;

/** Those that the stages' processor time bounds. */
export const BOUNDED = ['pipeline', 'redis'] as const;
type BoundedKey = (typeof BOUNDED)[number];

export interface BenchResults {
  readonly version: 1;
  readonly date: string;
  readonly machine: Machine;
  readonly images: { readonly count: number; readonly name: string };
  readonly model: { readonly name: string; readonly layer: string; readonly engine: string };
  readonly batch: number;
  readonly extractFlags: readonly string[];
  /** As the table shows them. */
  readonly names: Readonly<Partial<Record<ContestantKey, string>>>;
  readonly rounds: readonly Round[];
  readonly likeness: Likeness | null;
  readonly flow: FlowResult | null;
}

/** `steady`: once everything is loaded and warm. `whole`: over the life of the process. */
export type Span = 'steady' | 'whole';

export function speedOf(results: BenchResults, key: ContestantKey, span: Span): Spread | undefined {
  return spreadOf(valuesOf(results, key, span).filter(value => value != null));
}

export function ratioOf(
  results: BenchResults,
  above: ContestantKey,
  below: ContestantKey,
  span: Span,
): Spread | undefined {
  return ratioSpread(valuesOf(results, above, span), valuesOf(results, below, span));
}

/** What the stages cost around each run that they bound. */
export function costsOf({ rounds }: BenchResults): readonly StageCosts[] {
  return rounds.flatMap(round => BOUNDED.flatMap(key => round[key]?.costs ?? []));
}

/** Images per second that the stages allow, by their processor time around each run. */
export function boundSpread(results: BenchResults): Spread | undefined {
  return spreadOf(costsOf(results).map(costs => boundOf(costs, results.machine.cores)));
}

/** What part of the bound a pipeline reaches, round by round. */
export function efficiencyOf(results: BenchResults, key: BoundedKey): Spread | undefined {
  const costs = results.rounds.map(round => round[key]?.costs);
  return ratioSpread(
    valuesOf(results, key, 'steady'),
    costs.map(given => given && boundOf(given, results.machine.cores)),
  );
}

/** Versions that the contestants told, each name with whose it is. */
export function versionsOf(results: BenchResults, key: ContestantKey): string {
  const told = results.rounds.at(-1)?.[key]?.versions ?? {};
  return Object.entries(told)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}

/** Appends one line of JSON, with the medians beside what they come from. */
export async function appendResults(path: string, results: BenchResults): Promise<void> {
  const ratios = {
    pipelineToEngine: { steady: ratioOf(results, 'pipeline', 'engine', 'steady') },
    pipelineToKeras: {
      steady: ratioOf(results, 'pipeline', 'keras', 'steady'),
      whole: ratioOf(results, 'pipeline', 'keras', 'whole'),
    },
    efficiency: { embedded: efficiencyOf(results, 'pipeline'), redis: efficiencyOf(results, 'redis') },
  };
  await mkdir(dirname(path), { recursive: true });
  await appendFile(path, `${JSON.stringify({ ...results, ratios })}\n`);
}

function valuesOf(results: BenchResults, key: ContestantKey, span: Span): readonly (number | null | undefined)[] {
  return results.rounds.map(round => round[key]?.[span]);
}
