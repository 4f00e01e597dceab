// The benchmark's results as text for people: tables of speeds and ratios, and what they depend on.
import { formatBytes } from '../shared/src/byte-size.ts';
import { machineLines } from './machine.ts';
import type { ProcessPeak } from './measure-process.ts';
import {
  type BenchResults,
  BOUNDED,
  boundSpread,
  type ContestantKey,
  costsOf,
  efficiencyOf,
  ratioOf,
  speedOf,
  versionsOf,
} from './results.ts';
import { spreadOf, spreadText } from './statistics.ts';

const KEYS: readonly ContestantKey[] = ['pipeline', 'redis', 'engine', 'keras'];
const SAME_NETWORK_COSINE = 0.9999;

export function formatResults(results: BenchResults): string {
  const { images, model, batch, rounds } = results;
  return [
    '',
    `${images.count} images out of ${images.name}, ${model.name}, mean of ${model.layer}, batch ${batch}, ${plural(rounds.length, 'round')}`,
    ...contextLines(results),
    '',
    ...speedTable(results),
    '',
    ...ratioTable(results),
    '',
    ...boundLines(results),
    '',
    ...likenessLines(results),
    ...stageLines(results),
    ...flowLines(results),
    '',
  ].join('\n');
}

function contextLines(results: BenchResults): readonly string[] {
  const { machine, date, extractFlags } = results;
  const versions = KEYS.filter(key => key !== 'engine' && key !== 'redis').map(
    key => `  ${key}: ${versionsOf(results, key) || 'not run'}`,
  );
  const flags = extractFlags.length === 0 ? [] : [`with the flags ${extractFlags.join(' ')}`];
  return [...machineLines(machine, date), ...versions, ...flags];
}

function speedTable(results: BenchResults): readonly string[] {
  const rows = KEYS.filter(key => results.names[key] !== undefined).map(key => [
    results.names[key] ?? key,
    spreadText(speedOf(results, key, 'steady'), 1),
    spreadText(speedOf(results, key, 'whole'), 1),
    peaksOf(results.rounds.flatMap(round => round[key]?.peaks ?? [])),
  ]);
  return table(['images/s, min / median / max', 'steady', 'whole process', 'peak memory'], rows);
}

function ratioTable(results: BenchResults): readonly string[] {
  const row = (name: string, below: ContestantKey): readonly string[] => [
    name,
    ...(['steady', 'whole'] as const).map(span => spreadText(ratioOf(results, 'pipeline', below, span), 2)),
  ];
  return table(
    ['ratio per round, min / median / max', 'steady', 'whole process'],
    [row('pipeline ÷ engine alone', 'engine'), row('pipeline ÷ Keras', 'keras')],
  );
}

function boundLines(results: BenchResults): readonly string[] {
  const { machine } = results;
  const costs = costsOf(results);
  const milliseconds = (['decode', 'infer', 'serialize'] as const).map(stage => {
    const spread = spreadOf(costs.map(given => given[stage] * 1000));
    return `${stage} ${spreadText(spread, 2)}`;
  });
  const bound = spreadText(boundSpread(results), 1);
  const efficiencies = BOUNDED.map(
    key => `${results.names[key] ?? key} ${spreadText(efficiencyOf(results, key), 2) || 'not run'}`,
  );
  return [
    `processor time per image, ms, each stage alone on one thread: ${milliseconds.join(', ')}`,
    `bound on ${plural(machine.cores, 'core')}: ${bound} images/s; reached of it: ${efficiencies.join(', ')}`,
  ];
}

function likenessLines({ likeness }: BenchResults): readonly string[] {
  if (likeness === null) return ['Keras could not be had: no comparison'];
  const { rows, minimumCosine, maximumDifference, scale } = likeness;
  const verdict = minimumCosine >= SAME_NETWORK_COSINE ? 'the same network' : 'NOT THE SAME NETWORK';
  const difference = `largest difference ${maximumDifference.toExponential(1)} of ${scale.toPrecision(3)}`;
  return [`${verdict} on both sides: least cosine ${minimumCosine.toFixed(7)} over ${rows} images, ${difference}`];
}

function stageLines({ rounds }: BenchResults): readonly string[] {
  const stages = Object.entries(rounds.at(-1)?.pipeline?.stages ?? {});
  if (stages.length === 0) return [];
  return [
    `pipeline, seconds of the last round (stages overlap): ${stages.map(([name, seconds]) => `${name} ${seconds.toFixed(1)}`).join(', ')}`,
  ];
}

function flowLines({ flow }: BenchResults): readonly string[] {
  if (flow === null) return [];
  const { rows, steady, whole, peaks } = flow;
  return [
    `flow alone (null engine, ${rows} lines, 1280 values a row): ${Math.round(steady)} rows/s steady, ${Math.round(whole)} rows/s over the whole process, peak memory ${peaksOf(peaks)}`,
  ];
}

/** Of the largest process at each depth; one that has no children of weight is not called a parent. */
function peaksOf(peaks: readonly ProcessPeak[]): string {
  const depths = [0, 1].map(depth =>
    Math.max(0, ...peaks.filter(peak => peak.depth === depth).map(peak => peak.bytes)),
  );
  const [parent = 0, child = 0] = depths;
  if (parent === 0) return 'unknown';
  return child === 0 ? formatBytes(parent) : `parent ${formatBytes(parent)}, child ${formatBytes(child)}`;
}

/** Markdown, so that it can be pasted; the first column to the left, the others to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map(row => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)];
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
