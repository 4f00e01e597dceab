// docs/conformance.md from the results: one table per engine, the photos' distribution, and what is missing and why.

import type { Machine } from '../bench/machine.ts';
import { LARGEST_RELATIVE, LEAST_COSINE, OWN_DISTANCE_FACTOR } from '../extractor/src/agreement.ts';
import { formatBytes } from '../shared/src/byte-size.ts';
import { JPEG_THRESHOLD, type JpegResult } from './jpeg-to-feature.ts';
import { FORMATS, type FormatName } from './options.ts';
import { LARGEST_PHOTO_COSINE } from './reference.ts';
import type { CaseResult } from './results.ts';

export interface ReportInput {
  readonly results: readonly CaseResult[];
  /** All that the report should hold: a case without a result is listed as missing. */
  readonly architectures: readonly string[];
  readonly photos: string;
  readonly machine: Machine;
  readonly command: string;
  readonly jpeg: JpegResult | undefined;
}

const FORMAT_NAMES = Object.keys(FORMATS) as FormatName[];

export function formatConformance(input: ReportInput): string {
  const { results, machine } = input;
  const engines = [
    ...new Set(results.filter(({ status }) => status !== 'unclaimed').map(({ engine }) => engine)),
  ].sort();
  const counted = results.filter(({ status }) => status !== 'unclaimed');
  const passed = counted.filter(({ status }) => status === 'passed').length;
  return [
    '# Conformance',
    '',
    'Every architecture of keras.applications, built and saved by real Keras, against Layertap. `npm run conformance` makes this page.',
    '',
    `**${passed} of ${counted.length} cases agree**${countMissing(input) === 0 ? '.' : `; ${countMissing(input)} files have not been read yet.`}`,
    '',
    '## How a case passes',
    '',
    'Keras builds the architecture at its default size with seeded He-normal kernels (by the true fan-in), gammas from U(0.5, 1.5), betas',
    'and biases from U(-0.1, 0.1), and batch statistics from one training-mode pass over 8 photos with momentum 0 and no dropout. It saves',
    'the file, and gives its outputs of early, middle and last layers, of what goes into the head, and of the predictions for 4 other photos.',
    `A case counts only if these are finite and some two photos have a cosine below ${LARGEST_PHOTO_COSINE} in every compared layer: with careless random`,
    'weights the last layers ignore the image, and a broken reader passes. Some random networks are chaotic: where a change of the input by',
    '1e-6 moves a compared layer by more than 1e-4, weights are drawn again with smaller gammas and betas of batch normalisation (0.3 or 0.1 of them),',
    'before any engine is asked. Layertap reads the file and is given the very same input tensor.',
    '',
    `It agrees when every photo has a cosine of at least ${LEAST_COSINE} and no value differs by more than ${LARGEST_RELATIVE} of the layer's largest value;`,
    `more only within ${OWN_DISTANCE_FACTOR} × the distance between Keras' own float32 and float64 (such cells are marked \\*). Readers that are broken on purpose`,
    '(an epsilon ten times as large, a padding shifted by one, two inputs swapped, a weight transposed) fail this gate: `test/conformance/mutants.test.ts`.',
    '',
    ...engines.flatMap(engine => engineTable(input, engine)),
    ...drawnAgain(input),
    ...jpegSection(input.jpeg),
    ...missingSection(input),
    '## Made by',
    '',
    `- \`${input.command}\`, ${new Date().toISOString().slice(0, 10)}, commit ${machine.commit}`,
    `- ${machine.cpu} (${machine.cores} cores, ${formatBytes(machine.memoryBytes)}), ${machine.system}, Node ${machine.node}`,
    `- ${versionsOf(results)}`,
    `- photos: ${input.photos}`,
    '',
  ].join('\n');
}

function engineTable(input: ReportInput, engine: string): readonly string[] {
  const own = input.results.filter(result => result.engine === engine && result.status !== 'unclaimed');
  const formats = FORMAT_NAMES.filter(format => own.some(result => result.format === format));
  const names = input.architectures.filter(name => own.some(({ architecture }) => architecture === name));
  const rows = names.map(architecture => {
    const cells = formats.map(format => cellOf(own.find(r => r.architecture === architecture && r.format === format)));
    const parameters = own.find(result => result.architecture === architecture)?.parameters;
    const size = parameters === undefined ? '' : `${(parameters / 1e6).toFixed(1)} M`;
    return `| ${[architecture, size, ...cells].join(' | ')} |`;
  });
  return [
    `## Engine ${engine}`,
    '',
    'Least cosine / largest difference as a part of the largest value, over all compared layers and photos.',
    '',
    `| architecture | parameters | ${formats.map(format => FORMATS[format].title).join(' | ')} |`,
    `|---|--:|${formats.map(() => '---').join('|')}|`,
    ...rows,
    '',
  ];
}

function cellOf(result: CaseResult | undefined): string {
  if (result === undefined) return 'not run';
  if (result.layers.length === 0) return `**${result.status}**`;
  const cosine = Math.min(...result.layers.map(layer => layer.cosine));
  const relative = Math.max(...result.layers.map(layer => layer.relative ?? Number.POSITIVE_INFINITY));
  // Cut, not rounded: 0.99999996 is not 1.
  const cut = (Math.floor(Math.min(1, cosine) * 1e7) / 1e7).toFixed(7);
  const text = `${cut} / ${relative.toExponential(1)}${result.layers.some(needsOwn) ? ' \\*' : ''}`;
  return result.status === 'passed' ? text : `**${result.status}** ${text}`;
}

function needsOwn({ own, cosine, relative }: CaseResult['layers'][number]): boolean {
  return own !== undefined && (cosine < LEAST_COSINE || (relative ?? Number.POSITIVE_INFINITY) > LARGEST_RELATIVE);
}

/** Which architectures have weights with smaller gammas, so that anyone can build the same. */
function drawnAgain({ results, architectures }: ReportInput): readonly string[] {
  const lines = (['keras', 'tf_keras'] as const).flatMap(keras => {
    const of = (architecture: string): CaseResult | undefined =>
      results.find(
        result => result.architecture === architecture && FORMATS[result.format as FormatName]?.keras === keras,
      );
    const drawn = architectures.flatMap(architecture => {
      const { gamma = 1, amplification = 0 } = of(architecture) ?? {};
      return gamma === 1 ? [] : [`${architecture} (${gamma}; amplifies ${amplification.toFixed(0)} times)`];
    });
    return drawn.length === 0 ? [] : [`- ${keras}: ${drawn.join(', ')}`];
  });
  return lines.length === 0 ? [] : ['## Drawn again with smaller gammas', '', ...lines, ''];
}

function jpegSection(jpeg: JpegResult | undefined): readonly string[] {
  if (jpeg === undefined) return [];
  type Verdict = JpegResult['sets'][number]['exact'];
  const row = (photos: string, title: string, { cosine, maxAbsDifference, scale, passed }: Verdict): string =>
    `| ${[
      photos,
      title,
      ...[cosine.worst, cosine.p1, cosine.median].map(value => (Math.floor(value * 1e7) / 1e7).toFixed(7)),
      (maxAbsDifference.worst / scale).toExponential(1),
      passed ? 'passed' : 'below the threshold',
    ].join(' | ')} |`;
  return [
    '## From a JPEG to a feature',
    '',
    `${jpeg.architecture} with the weights above, layer ${jpeg.layer}, on ${jpeg.sets[0]?.exact.engine}: \`layertap certify\` against the Python script`,
    `of [certify.md](certify.md) (Pillow and Keras). \`exact\` must have a cosine of at least ${JPEG_THRESHOLD} for every photo; \`fast\` decodes a JPEG approximately`,
    'from four times the size of the input on, and shows how much.',
    '',
    '| photos | quality | least cosine | 1st percentile | median | largest difference | verdict |',
    '|---|---|---|---|---|---|---|',
    ...jpeg.sets.flatMap(({ photos, exact, fast }) => [row(photos, 'exact', exact), row(photos, 'fast', fast)]),
    '',
  ];
}

/** One entry per format: the architectures that have no result there. */
function missingCases({ results, architectures }: ReportInput): readonly MissingCases[] {
  return FORMAT_NAMES.flatMap(format => {
    const done = new Set(results.filter(result => result.format === format).map(({ architecture }) => architecture));
    const missing = architectures.filter(architecture => !done.has(architecture));
    return missing.length === 0 ? [] : [{ format, missing, all: missing.length === architectures.length }];
  });
}

interface MissingCases {
  readonly format: FormatName;
  readonly missing: readonly string[];
  readonly all: boolean;
}

function countMissing(input: ReportInput): number {
  return missingCases(input).reduce((sum, { missing }) => sum + missing.length, 0);
}

function missingSection(input: ReportInput): readonly string[] {
  const bad = input.results.filter(({ status }) => status === 'failed' || status === 'invalid');
  const lines = [
    ...bad.map(
      ({ architecture, format, engine, status, reason }) =>
        `${architecture}, ${titleOf(format)}, ${engine}: ${status}. ${(reason ?? '').replaceAll('\n', ' ').slice(0, 400)}`,
    ),
    ...missingCases(input).map(
      ({ format, missing, all }) => `${FORMATS[format].title}: not run yet for ${all ? 'any' : missing.join(', ')}`,
    ),
  ];
  return ['## Skipped or failed', '', ...(lines.length === 0 ? ['Nothing.'] : lines.map(line => `- ${line}`)), ''];
}

function titleOf(format: string): string {
  return FORMAT_NAMES.includes(format as FormatName) ? FORMATS[format as FormatName].title : format;
}

function versionsOf(results: readonly CaseResult[]): string {
  const versions = new Map<string, Set<string>>();
  for (const result of results) {
    for (const [name, version] of Object.entries(result.versions)) {
      versions.set(name, (versions.get(name) ?? new Set()).add(version));
    }
  }
  return [...versions].map(([name, all]) => `${name} ${[...all].join(' and ')}`).join(', ');
}
