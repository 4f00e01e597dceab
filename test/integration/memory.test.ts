// Memory is bounded: by nothing that grows with the number of images or with the size of a layer.

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run, start } from '../support/layertap.ts';
import { because, whyNot } from '../support/needs.ts';
import { sampleMemory } from '../support/processes.ts';
import { readJson } from '../support/read-rows.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** About 10 s each on a quiet machine. */
const TIMEOUT_MS = 900_000;

/** The null engine reads no image: the paths of the list need not exist. */
async function writeList(path: string, rows: number): Promise<void> {
  const file = createWriteStream(path);
  for (let row = 0; row < rows; row++) {
    if (!file.write(`photos/${String(row % 977).padStart(4, '0')}/${String(row).padStart(9, '0')}.jpg\n`)) {
      await once(file, 'drain');
    }
  }
  file.end();
  await once(file, 'finish');
}

/** The 95th percentile: one sample in the middle of a garbage collection says nothing. */
function high(samples: readonly number[]): number {
  return [...samples].sort((a, b) => a - b)[Math.floor(samples.length * 0.95)] ?? Number.NaN;
}

/**
 * The heap of parent and engine process in this test. Growth of the resident size over a run is mostly V8 taking its time
 * to collect; what is held for each image would fill this heap and end the process, whatever the collector does.
 */
const HEAP_MB = 80;

describe.skipIf(whyNot('linux'))(`memory${because(whyNot('linux'))}`, { timeout: TIMEOUT_MS }, () => {
  it('stays flat over a manifest of a million images', async () => {
    const folder = await temporaryFolder();
    const rows = 1_000_000;
    await writeList(join(folder, 'list.txt'), rows);
    const out = join(folder, 'out');
    const recipe = ['--size', '8x8', '--scale', '1'];
    const request = ['--model', 'null:8', '--layer', 'features', ...recipe, '--shard-size', '10000', '--batch', '256'];
    const env = { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` };
    const running = start(['extract', join(folder, 'list.txt'), ...request, '--out', out], { env });
    const memory = await sampleMemory(running.pid, running.ended);
    const { code, stderr } = await running.ended;
    expect(code).toBe(0);
    // A run survives an engine process that ran out of memory: it tells of it.
    expect(stderr).not.toContain('engine process ended');
    expect(await readJson(out, 'summary.json')).toMatchObject({ rows, ok: rows });

    // Node alone takes about 60 MB, and this run was seen at 170 and 200.
    expect(high(memory.parent)).toBeLessThan(350);
    expect(high(memory.engine)).toBeLessThan(400);
  });

  it('stays flat over a part of thousands of rows of 1 MB', async () => {
    const folder = await temporaryFolder();
    await writeList(join(folder, 'list.txt'), 5000);
    const out = join(folder, 'out');
    const request = ['--model', 'null:262144', '--layer', 'features', '--size', '8x8', '--scale', '1'];
    const size = ['--shard-size', '10000', '--limit', '3000'];
    const running = start(['extract', join(folder, 'list.txt'), ...request, ...size, '--out', out]);
    const memory = await sampleMemory(running.pid, running.ended);
    expect((await running.ended).code).toBe(0);
    expect(await readJson(out, 'summary.json')).toMatchObject({ rows: 3000, shards: 1, files: 1 });
    // 3 GB went through it; it was seen at 350 MB.
    expect(Math.max(...memory.engine)).toBeLessThan(1000);
    expect(high(memory.parent)).toBeLessThan(350);

    const verified = await run(['verify', out]);
    expect(verified.stdout).toContain('clean: 3000 images');
  });
});
