// npm run fuzz: many damaged files of every model format, a table of how they ended, and status 1 where one ended badly.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { prepareStart } from '../../../setup/src/prepare.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { createLifecycle } from '../../../shared/src/lifecycle.ts';
import { type FuzzReport, fuzzFormat } from './fuzz.ts';
import { FUZZ_FORMATS, type FuzzFormat } from './fuzz-bases.ts';

/** What opening, and what loading one file may take on a machine that does nothing else. */
const LIMIT_MS = 5000;
const GROWTH_MB = 512;

const HELP = `Damaged files of every model format: each must end as a refusal or as a loaded model, within ${LIMIT_MS / 1000} s of
processor time and ${GROWTH_MB} MiB

Usage: npm run fuzz -- [options]

  --formats NAME,…  ${FUZZ_FORMATS.join(', ')} (all)
  --count N         damaged files of each format (1000)
  --seed N          the first one's seed; a failure names its own (1)
  --out FILE        also writes everything that was counted, as JSON
  --help            show this help
`;

const COLUMNS: readonly (readonly [string, (report: FuzzReport) => string | number])[] = [
  ['format', ({ format }) => format],
  ['engine', ({ engine }) => engine],
  ['files', ({ files }) => files],
  ['refused', ({ refused }) => refused],
  ['refused loading', ({ refusedLoading }) => refusedLoading],
  ['loaded', ({ loaded }) => loaded],
  ['hangs ended', ({ hangsEnded }) => hangsEnded],
  ['crashes ended', ({ crashesEnded }) => crashesEnded],
  ['slowest ms', ({ slowestMs }) => slowestMs],
  ['on the processor', ({ slowestProcessorMs }) => slowestProcessorMs],
  ['largest MiB', ({ peakMb }) => peakMb],
  ['engine MiB', ({ enginePeakMb }) => enginePeakMb],
  ['failures', ({ failures }) => failures.length],
];

const lifecycle = createLifecycle();
await lifecycle.run(async () => {
  const { values } = parseArgs({
    options: {
      formats: { type: 'string' },
      count: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const formats = chosen(values.formats);
  const [count, seed] = [wholeNumber('count', values.count), wholeNumber('seed', values.seed)];
  if (formats.some(format => format === 'tfjs-graph' || format === 'saved-model')) await prepareStart(say);
  const reports: FuzzReport[] = [];
  print(COLUMNS.map(([title]) => title));
  print(COLUMNS.map(() => '---'));
  for (const format of formats) {
    say(`${format}, ${count} files from seed ${seed} on`);
    const bounds = { limitMs: LIMIT_MS, growthMb: GROWTH_MB, signal: lifecycle.stopping };
    const report = await fuzzFormat(format, { count, seed, ...bounds });
    print(COLUMNS.map(([, value]) => String(value(report))));
    reports.push(report);
  }
  if (values.out !== undefined) await writeFile(values.out, `${JSON.stringify(reports, undefined, 2)}\n`);
  const failures = reports.flatMap(report => report.failures);
  for (const failure of failures) process.stdout.write(`${failure}\n`);
  return failures.length === 0 ? 0 : 1;
});

function print(cells: readonly string[]): void {
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}

function chosen(text: string | undefined): readonly FuzzFormat[] {
  if (text === undefined) return FUZZ_FORMATS;
  return text.split(',').map(name => {
    const found = FUZZ_FORMATS.find(format => format === name.trim());
    if (found !== undefined) return found;
    throw new Refusal('bad-option', `Expected formats of ${FUZZ_FORMATS.join(', ')} but received '${name}'`);
  });
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new Refusal('bad-option', `Expected a whole number from 0 on for \`--${name}\` but received '${text}'`);
}

function say(line: string): void {
  process.stderr.write(`[fuzz] ${line}\n`);
}
