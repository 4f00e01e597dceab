// npm run fuzz:images: many damaged images of each format, how they ended, and where Pillow says something else.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeFailure, runCommand } from '../../../setup/src/command.ts';
import { preparePythonPackages } from '../../../setup/src/python-packages.ts';
import { describeError } from '../../../shared/src/errors.ts';
import { createLifecycle } from '../../../shared/src/lifecycle.ts';
import { fuzzImages, type ImageFuzzReport, type PillowAnswer } from './fuzz-images.ts';
import { IMAGE_FORMATS } from './fuzz-images-bases.ts';

const BOUNDS = { limitMs: 5000, growthMb: 512 };

const HELP = `Damaged images: each must end as pixels or as a failed row with a listed code, within ${BOUNDS.limitMs / 1000} s of processor
time and ${BOUNDS.growthMb} MiB; and what Pillow says of the same files

Usage: npm run fuzz:images -- [options]

  --count N    damaged files of each of ${IMAGE_FORMATS.join(', ')} (2500)
  --seed N     the first one's seed; a failure names its own (1)
  --out FILE   also writes everything that was counted, as JSON
  --help       show this help
`;

const lifecycle = createLifecycle();
await lifecycle.run(async () => {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '2500' },
      seed: { type: 'string', default: '1' },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const pillow = await findPillow();
  const reports: ImageFuzzReport[] = [];
  for (const format of IMAGE_FORMATS) {
    const [count, seed] = [Number(values.count), Number(values.seed)];
    const report = await fuzzImages(format, { ...BOUNDS, count, seed, pillow, signal: lifecycle.stopping });
    reports.push(report);
    process.stdout.write(`${describe(report)}\n`);
  }
  if (values.out !== undefined) await writeFile(values.out, `${JSON.stringify(reports, undefined, 2)}\n`);
  return reports.every(({ failures }) => failures.length === 0) ? 0 : 1;
});

function describe(report: ImageFuzzReport): string {
  const { format, files, ok, rows, slowestMs, peakMb, failures, agreed, differences } = report;
  const codes = Object.entries(rows).map(([code, count]) => `${count} ${code}`);
  return [
    `${format}: ${files} files, ${ok} ok, ${codes.join(', ')}; slowest ${slowestMs} ms, ${peakMb} MiB; ${failures.length} failures`,
    ...failures.map(failure => `  FAILED ${failure}`),
    `  Pillow agrees on ${agreed}`,
    ...Object.entries(differences)
      .sort(([, a], [, b]) => b.length - a.length)
      .map(([reason, names]) => `  ${names.length} × ${reason} (such as ${names[0]})`),
  ].join('\n');
}

async function findPillow(): Promise<((paths: readonly string[]) => Promise<readonly PillowAnswer[]>) | undefined> {
  try {
    const { python, pythonPath } = await preparePythonPackages('interop', { log: say });
    const script = fileURLToPath(new URL('pillow_answers.py', import.meta.url));
    return async paths => {
      const env = { PYTHONPATH: pythonPath, PYTHONNOUSERSITE: '1', PYTHONDONTWRITEBYTECODE: '1' };
      const result = await runCommand(python, [script], { env, input: JSON.stringify(paths), timeoutMs: 300_000 });
      if (!result.ok) throw new Error(describeFailure('python', result));
      return JSON.parse(result.stdout) as readonly PillowAnswer[];
    };
  } catch (error) {
    say(`without Pillow: ${describeError(error)}`);
    return undefined;
  }
}

function say(line: string): void {
  process.stderr.write(`[fuzz] ${line}\n`);
}
