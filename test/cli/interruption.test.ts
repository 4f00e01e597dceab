// Runs that are stopped, killed and gone on with: nothing is lost, nothing is done twice, no process stays.

import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { type Running, run, start } from '../support/layertap.ts';
import { engineProcessesOf, isRunning } from '../support/processes.ts';
import { rowDigests } from '../support/read-rows.ts';
import { waitUntil } from '../support/wait-until.ts';

const ROWS = 200;
const demo = useDemoSet();
let list: string;
let undisturbed: Readonly<Record<string, string>>;

/** One process, so that a shard in hand is all that is begun. wasm: it is single-threaded, so its last bits cannot depend on how busy the machine is. */
function extractArguments(out: string, shardSize: number): readonly string[] {
  const request = [
    '--model',
    DEMO_MODEL,
    '--layer',
    'features',
    '--engine',
    'wasm',
    '--batch',
    '4',
    '--processes',
    '1',
  ];
  return ['extract', list, ...request, '--shard-size', String(shardSize), '--out', join(demo.root, out)];
}

async function filesIn(out: string, folder: 'parts' | 'receipts'): Promise<readonly string[]> {
  return readdir(join(demo.root, out, folder, '000')).catch(() => []);
}

/** The part of a shard is being written: it has a temporary name, which is gone when the shard is done. */
async function untilShardBegins(out: string): Promise<void> {
  await waitUntil('a shard is being written', async () =>
    (await filesIn(out, 'parts')).some(name => name.startsWith('.layertap-')),
  );
}

async function untilShardIsDone(out: string): Promise<void> {
  await waitUntil('a shard is done', async () => (await filesIn(out, 'receipts')).some(name => name.endsWith('.json')));
}

async function engineOf(running: Running): Promise<number> {
  return waitUntil('the engine process is there', () => engineProcessesOf(running.pid)[0]);
}

async function expectResumed(out: string): Promise<void> {
  const resumed = await run(['resume', join(demo.root, out)]);
  expect(resumed.stderr).not.toContain('failed:');
  expect(resumed.code).toBe(0);
  await expectWhole(out);
}

async function expectWhole(out: string): Promise<void> {
  const verified = await run(['verify', join(demo.root, out)]);
  expect(verified.stdout).toContain(`clean: ${ROWS} images`);
  expect(await rowDigests(join(demo.root, out))).toEqual(undisturbed);
  const parts = await filesIn(out, 'parts');
  expect(parts.filter(name => name.startsWith('.'))).toEqual([]);
}

beforeAll(async () => {
  list = await demo.longList(ROWS);
  const result = await run(extractArguments('undisturbed', 20));
  expect(result.code).toBe(0);
  undisturbed = await rowDigests(join(demo.root, 'undisturbed'));
  expect(Object.keys(undisturbed)).toHaveLength(ROWS);
});

describe('Ctrl-C', () => {
  it('finishes the shard in hand, begins no other and says how to go on', async () => {
    const running = start(extractArguments('once', 100));
    await untilShardBegins('once');
    running.kill('SIGINT');
    const result = await running.ended;
    expect(result.code).toBe(130);
    expect(result.stderr).toContain('Finishing the shard in hand');
    expect(result.stderr).toContain('Stopped with 1 of 2 shards done; nothing is lost');
    expect(result.stderr).toContain(`layertap resume ${join(demo.root, 'once')}`);
    expect(await filesIn('once', 'receipts')).toEqual(['000000.json']);

    const status = await run(['status', join(demo.root, 'once')]);
    expect(status.stdout).toMatch(
      /^unfinished: 100 of 200 images, 1 of 2 shards\nUnless workers are on it, go on with: npx layertap resume /,
    );
    await expectResumed('once');
  });

  it('twice leaves at once and still loses nothing', async () => {
    const running = start(extractArguments('twice', ROWS));
    const engine = await engineOf(running);
    await untilShardBegins('twice');
    running.kill('SIGINT');
    await running.says(/Finishing the shard in hand/);
    running.kill('SIGINT');
    const result = await running.ended;
    expect(result.code).toBe(130);
    expect(result.stderr).toContain('Stopped with 0 of 1 shards done; nothing is lost');
    expect(isRunning(engine)).toBe(false);
    expect(await filesIn('twice', 'receipts')).toEqual([]);
    await expectResumed('twice');
  });

  it('while the images are still being listed ends it there, and the same command begins anew', async () => {
    const paths = join(demo.root, 'many.txt');
    const count = 400_000;
    await writeFile(paths, Array.from({ length: count }, (_, row) => `photos/${row}.jpg`).join('\n'));
    const recipe = ['--size', '8x8', '--scale', '1'];
    const args = ['extract', paths, '--model', 'null:2', '--layer', 'features', ...recipe];
    const out = join(demo.root, 'listing');
    const running = start([...args, '--out', out]);
    await waitUntil('a manifest file is there', async () => (await readdir(join(out, 'manifest')).catch(() => []))[0]);
    running.kill('SIGINT');
    const stopped = await running.ended;
    expect(stopped.stderr).toContain('Stopped by SIGINT');
    expect(stopped.code).toBe(130);
    expect(await readdir(out)).toEqual(['manifest']);
    // 65,536 rows a file: a whole manifest would be seven.
    expect((await readdir(join(out, 'manifest'))).length).toBeLessThan(7);
    const again = await run([...args, '--limit', '100', '--out', out]);
    expect(again.stdout).toContain('rows      100: 100 ok');
  });

  it('before the first shard leaves nothing that stands in the way', async () => {
    const running = start(extractArguments('early', 100));
    await running.says(/manifest: 200 images/);
    running.kill('SIGINT');
    expect((await running.ended).code).toBe(130);
    await expectResumed('early');
  });
});

describe('a killed process', () => {
  it('of the engine is replaced, and its shards are done again', async () => {
    const running = start(extractArguments('engine-killed', 20));
    const engine = await engineOf(running);
    await untilShardIsDone('engine-killed');
    process.kill(engine, 'SIGKILL');
    const result = await running.ended;
    expect(result.stderr).toContain('engine process ended by SIGKILL while working on shard');
    expect(result.code).toBe(0);
    await expectWhole('engine-killed');
  });

  it('of the command takes its engine process along, and resume does the rest', async () => {
    const running = start(extractArguments('killed', 20));
    const engine = await engineOf(running);
    await untilShardIsDone('killed');
    running.kill('SIGKILL');
    expect((await running.ended).code).toBe(137);
    await waitUntil('the engine process has ended too', () => !isRunning(engine));
    const done = (await filesIn('killed', 'receipts')).filter(name => name.endsWith('.json'));
    expect(done.length).toBeLessThan(10);
    await expectResumed('killed');
    // What was done before stayed as it was.
    expect(await filesIn('killed', 'receipts')).toEqual(expect.arrayContaining(done));
  });
});
