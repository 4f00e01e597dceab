// `--max-memory`: an engine process that holds too much is replaced between two shards, and nobody notices in the rows.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openRun, readReceipts } from '../../shared/src/run.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { run } from '../support/layertap.ts';
import { rowDigests } from '../support/read-rows.ts';

const demo = useDemoSet();

async function extract(
  out: string,
  maxMemory: string,
): Promise<{ readonly stderr: string; readonly processes: number }> {
  const request = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm', '--batch', '4'];
  const flags = [
    '--shard-size',
    '4',
    '--limit',
    '24',
    '--processes',
    '1',
    '--max-memory',
    maxMemory,
    '--out',
    join(demo.root, out),
  ];
  const { code, stderr } = await run(['extract', demo.images, ...request, ...flags]);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  const storage = openFileStorage(join(demo.root, out));
  const pids = new Set<number>();
  for await (const { worker } of readReceipts(storage, await openRun(storage))) pids.add(worker.pid);
  return { stderr, processes: pids.size };
}

it('replaces a process that holds more, after the shards in hand', async () => {
  const plain = await extract('plain', 'none');
  expect(plain).toMatchObject({ processes: 1, stderr: expect.not.stringContaining('takes its place') });
  // Less than any engine process holds: each does the two shards that it had in hand.
  const watched = await extract('watched', '20MB');
  expect(watched.processes).toBeGreaterThan(2);
  expect(watched.stderr).toMatch(/an engine process holds \d+\.\d MB: another one takes its place/);
  expect(watched.stderr).not.toMatch(/while working on|ended/);
  expect(await rowDigests(join(demo.root, 'watched'))).toEqual(await rowDigests(join(demo.root, 'plain')));
});
