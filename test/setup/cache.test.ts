// The cache: folders appear whole or not at all, and one process at a time makes them.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { publishFile, publishFolder } from '../../setup/src/cache.ts';
import { withLock } from '../../setup/src/lock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const CACHE = new URL('../../setup/src/cache.ts', import.meta.url).href;

test('a folder is made once, however many ask at the same time', async () => {
  const root = await temporaryFolder();
  const target = join(root, 'library');
  let fills = 0;
  const ask = (): Promise<boolean> =>
    publishFolder(
      target,
      async draft => {
        fills += 1;
        await writeFile(join(draft, 'done'), 'whole');
      },
      { marker: 'done', pollMs: 5 },
    );
  const made = await Promise.all([ask(), ask(), ask()]);
  expect(made.filter(Boolean)).toHaveLength(1);
  expect(fills).toBe(1);
  expect(await readdir(root)).toEqual(['library']);
});

test('a fill that fails, or forgets its marker, leaves nothing', async () => {
  const root = await temporaryFolder();
  const target = join(root, 'library');
  const failing = publishFolder(
    target,
    async draft => {
      await writeFile(join(draft, 'half'), 'half');
      throw new Error('the network went away');
    },
    { marker: 'done' },
  );
  await expect(failing).rejects.toThrow('the network went away');
  await expect(publishFolder(target, async () => {}, { marker: 'done' })).rejects.toThrow(
    /Expected `fill` to write done/,
  );
  expect(await readdir(root)).toEqual([]);
});

test('what a killed process left half made is never taken for whole, and is removed', async () => {
  const root = await temporaryFolder();
  const target = join(root, 'library');
  const child = await startProcess(`
    import { publishFolder } from ${JSON.stringify(CACHE)};
    import { writeFileSync } from 'node:fs';
    await publishFolder(${JSON.stringify(target)}, async draft => {
      writeFileSync(draft + '/half', 'half');
      console.log('filling');
      await new Promise(() => setInterval(() => {}, 1000));
    }, { marker: 'done' });`);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await readdir(root)).toHaveLength(2); // The draft and the lock.
  const fill = (draft: string): Promise<void> => writeFile(join(draft, 'done'), 'whole');
  expect(await publishFolder(target, fill, { marker: 'done', waitMs: 20_000 })).toBe(true);
  expect(await readdir(root)).toEqual(['library']);
  expect(await readdir(target)).toEqual(['done']);
});

test('a folder without its marker is made anew', async () => {
  const root = await temporaryFolder();
  const target = join(root, 'library');
  await mkdir(target);
  await writeFile(join(target, 'old'), 'half');
  await publishFolder(target, draft => writeFile(join(draft, 'done'), 'whole'), { marker: 'done' });
  expect(await readdir(target)).toEqual(['done']);
});

test('a living process keeps its lock, and who waits is told whose it is', async () => {
  const root = await temporaryFolder();
  const path = join(root, 'lock');
  const holders: string[] = [];
  const order: string[] = [];
  await withLock(path, async () => {
    const waiting = withLock(path, async () => order.push('second'), {
      pollMs: 5,
      onWait: holder => {
        holders.push(holder);
        order.push('first');
      },
    });
    while (holders.length === 0) await new Promise(resolve => setImmediate(resolve));
    void waiting.then(() => order.push('end'));
  });
  while (order.length < 3) await new Promise(resolve => setImmediate(resolve));
  expect(order).toEqual(['first', 'second', 'end']);
  expect(holders).toEqual([`process ${process.pid} on ${hostname()}`]);
  expect(await readdir(root)).toEqual([]);
});

test('a lock whose process is gone, or whose pid another process got, is taken over', async () => {
  const root = await temporaryFolder();
  const dead = spawn(process.execPath, ['-e', '']);
  await once(dead, 'exit');
  const gone = { pid: dead.pid, host: hostname(), nonce: 'a' };
  const reused = { pid: process.pid, host: hostname(), started: '1', nonce: 'b' };
  for (const [name, holder] of Object.entries({ gone, reused })) {
    if (name === 'reused' && process.platform !== 'linux') continue;
    const path = join(root, name);
    await writeFile(path, JSON.stringify(holder));
    expect(await withLock(path, async () => 'ran', { waitMs: 10_000, pollMs: 5 })).toBe('ran');
  }
  expect(await readdir(root)).toEqual([]);
});

test('waiting for a lock has an end', async () => {
  const path = join(await temporaryFolder(), 'lock');
  await withLock(path, async () => {
    await expect(withLock(path, async () => {}, { waitMs: 20, pollMs: 5 })).rejects.toThrow(/still holds it/);
  });
});

test('a small file is replaced whole', async () => {
  const root = await temporaryFolder();
  await publishFile(join(root, 'state.json'), 'one');
  await publishFile(join(root, 'state.json'), 'two');
  expect(await readFile(join(root, 'state.json'), 'utf8')).toBe('two');
  expect(await readdir(root)).toEqual(['state.json']);
});

/** Starts a module in a process of its own and waits for its first line. */
async function startProcess(source: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  if (child.stdout) await once(child.stdout, 'data');
  return child;
}
