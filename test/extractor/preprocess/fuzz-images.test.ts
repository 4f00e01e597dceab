// Damaged images of every format end as pixels or as a failed row with a listed code, and as Pillow ends on them but for known
// reasons. `npm run fuzz:images` tries as many as are asked for.
import { readFile } from 'node:fs/promises';
import { describe, expect, inject, test } from 'vitest';
import { runPython } from '../../support/python.ts';
import { fuzzImages, type PillowAnswer } from './fuzz-images.ts';
import { IMAGE_FORMATS } from './fuzz-images-bases.ts';

const COUNT = 120;
/** Ends what hangs. */
const BOUNDS = { limitMs: 20_000, growthMb: 512 };
const SCRIPT = new URL('pillow_answers.py', import.meta.url);

/** docs/reliability.md explains each. */
const KNOWN = [
  /^corrupt-image: the pixels of the png file are damaged or end early \| Pillow: pixels$/,
  /^corrupt-image: the pixels of the jpeg file are damaged or end early \| Pillow: pixels$/,
  /^pixels \| Pillow: OSError: Truncated File Read$/,
];

const python = inject('python');

describe.each(IMAGE_FORMATS)('%s:', format => {
  test(`each of ${COUNT} damaged files is pixels or a failed row, as Pillow says`, async () => {
    const pillow = python.ready ? askPillow : undefined;
    const report = await fuzzImages(format, { count: COUNT, seed: 501, ...BOUNDS, pillow });
    expect(report.failures).toEqual([]);
    const failed = Object.values(report.rows).reduce((sum, count) => sum + count, 0);
    expect(report.ok + failed).toBe(COUNT);
    // Otherwise the damage would prove nothing.
    expect(Math.min(report.ok, failed)).toBeGreaterThan(0);
    const unknown = Object.keys(report.differences).filter(reason => !KNOWN.some(known => known.test(reason)));
    expect(unknown).toEqual([]);
    if (python.ready) expect(report.agreed).toBeGreaterThan(COUNT * 0.9);
  });
});

async function askPillow(paths: readonly string[]): Promise<readonly PillowAnswer[]> {
  const script = (await readFile(SCRIPT, 'utf8')).replace('json.load(sys.stdin)', 'given');
  return runPython<readonly PillowAnswer[]>(script, paths);
}
