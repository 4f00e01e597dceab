// Damaged model files of every format end as a refusal or as a loaded model; `npm run fuzz` tries as many as are asked for.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { damagedCopy, randomOf } from '../../support/damage.ts';
import { because, whyNot } from '../../support/needs.ts';
import { fuzzFormat } from './fuzz.ts';
import { FUZZ_FORMATS } from './fuzz-bases.ts';

const COUNT = 16;
/** Ends what hangs. How long a file may take is for the command to measure, on a machine that does nothing else. */
const BOUNDS = { limitMs: 20_000, growthMb: 512 };

describe.each(FUZZ_FORMATS)('%s:', format => {
  const lack = format === 'saved-model' ? whyNot('tensorflow') : undefined;
  test.skipIf(lack)(
    `each of ${COUNT} damaged files is refused or loaded, and never ends the process that opens it${because(lack)}`,
    async () => {
      const report = await fuzzFormat(format, { count: COUNT, seed: 101, ...BOUNDS });
      const { failures, refused, refusedLoading, loaded } = report;
      expect(failures).toEqual([]);
      expect(refused + refusedLoading + loaded).toBe(COUNT);
      // Otherwise the damage would prove nothing.
      expect(refused + refusedLoading).toBeGreaterThan(0);
    },
    600_000,
  );
});

test('the same seed gives the same damage, others give others, and the file itself stays as it is', () => {
  const whole = Buffer.from(Array.from({ length: 300 }, (_, i) => i));
  const damaged = (seed: number): string => Buffer.from(damagedCopy(whole, randomOf(seed))).toString('hex');
  const first = Array.from({ length: 50 }, (_, seed) => damaged(seed));
  expect(Array.from({ length: 50 }, (_, seed) => damaged(seed))).toEqual(first);
  expect(first).not.toContain(whole.toString('hex'));
  // Two seeds may write over the same number.
  expect(new Set(first).size).toBeGreaterThan(45);
});

describe('the command', () => {
  const fuzz = (...args: string[]): Promise<{ stdout: string }> =>
    promisify(execFile)(process.execPath, [
      ...['--import', 'tsx', fileURLToPath(new URL('fuzz-main.ts', import.meta.url))],
      ...args,
    ]);

  test('prints a line for each format', async () => {
    const { stdout } = await fuzz('--formats', 'onnx', '--count', '5', '--seed', '9');
    expect(stdout).toMatch(/^\| format \|.*\n\| --- .*\n\| onnx \| onnx \| 5 \| .* \| 0 \|\n$/);
  });

  test('refuses a format that it does not know', async () => {
    await expect(fuzz('--formats', 'pickle')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("received 'pickle'"),
    });
  });
});
