// The results of the compose benchmark: as a table of Markdown, and as a line of JSON.
import { formatBytes } from '../../shared/src/byte-size.ts';
import { type Machine, machineLines } from '../machine.ts';
import { ratioSpread, spreadOf, spreadText } from '../statistics.ts';
import type { Arrangement, Bound, ComposeBenchOptions } from './options.ts';
import type { Course } from './timeline.ts';

export interface ComposeResults {
  readonly version: 1;
  readonly date: string;
  readonly machine: Machine;
  readonly images: { readonly count: number; readonly name: string };
  readonly model: { readonly name: string; readonly layer: string };
  readonly options: Pick<ComposeBenchOptions, 'cpus' | 'target' | 'rounds'>;
  readonly rows: readonly ComposeRow[];
}

export interface ComposeRow {
  readonly arrangement: Arrangement;
  readonly bound: Bound;
  /** One for each round. */
  readonly courses: readonly Course[];
}

const TITLES = [
  'containers',
  'CPU limit of each',
  'engine',
  'images/s, min / median / max',
  'of `extract`, median',
  'memory a process',
  'engine processes',
  'seconds to the first row',
  'processor seconds to the first batch',
];

export function formatComposeResults(results: ComposeResults): string {
  const { images, model, machine, date, options, rows } = results;
  return [
    '',
    `${images.count} images out of ${images.name}, ${model.name}, mean of ${model.layer}, image ${options.target}, medians of ${options.rounds} in turn`,
    ...machineLines(machine, date),
    '',
    `| ${TITLES.join(' | ')} |`,
    `|${TITLES.map((_, column) => (column === 0 || column === 2 ? '---' : '---:')).join('|')}|`,
    ...rows.map(row => `| ${cells(row, results).join(' | ')} |`),
    '',
  ].join('\n');
}

function cells({ arrangement, bound, courses }: ComposeRow, { rows, options }: ComposeResults): readonly string[] {
  const workers = arrangement === 'extract' ? 1 : Number(arrangement);
  const baseline = rows.find(row => row.arrangement === 'extract' && row.bound === bound);
  const ratio = ratioSpread(
    courses.map(course => course.imagesPerSecond),
    (baseline?.courses ?? []).map(course => course.imagesPerSecond),
  );
  const median = (values: readonly number[], digits: number): string => spreadOf(values)?.median.toFixed(digits) ?? '';
  const bytes = spreadOf(courses.flatMap(({ processBytes }) => processBytes));
  return [
    arrangement === 'extract' ? '`extract`' : `${workers} worker${workers === 1 ? '' : 's'}`,
    bound === 'free' ? 'none' : String(Number((options.cpus / workers).toFixed(2))),
    [...new Set(courses.map(({ engine }) => engine))].join(' and '),
    spreadText(spreadOf(courses.map(course => course.imagesPerSecond)), 1),
    ratio === undefined || arrangement === 'extract' ? '' : ratio.median.toFixed(2),
    bytes === undefined ? '' : formatBytes(bytes.median),
    median(
      courses.map(({ processBytes }) => processBytes.length),
      0,
    ),
    median(
      courses.map(({ secondsToFirstRow }) => secondsToFirstRow),
      1,
    ),
    median(
      courses.flatMap(({ processorSeconds }) => processorSeconds),
      2,
    ),
  ];
}
