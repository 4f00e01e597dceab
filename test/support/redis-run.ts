// A run of many small shards without images, for tests of what befalls the queue: cheap, and long enough to break something in between.

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Running, type RunResult, run } from './layertap.ts';
import { engineProcessesOf, isRunning } from './processes.ts';
import { waitUntil } from './wait-until.ts';

/** Reads and computes nothing; one row a shard. */
export const NULL_REQUEST = [
  ...['--model', 'null:8', '--layer', 'features', '--size', '8x8', '--scale', '1'],
  ...['--shard-size', '1', '--batch', '1'],
] as const;

/** One process is enough, and leaves the processors to the servers. */
export const SMALL_WORKER = ['--processes', '1', '--threads', '1', '--decode-threads', '1'] as const;

/** A folder for runs and a list of that many samples, for all tests of a file. */
export function useNullList(rows: number): { readonly root: string; readonly list: string } {
  const made = { root: '', list: '' };
  beforeAll(async () => {
    made.root = await mkdtemp(join(tmpdir(), 'layertap-test-'));
    made.list = join(made.root, 'list.txt');
    await writeFile(made.list, Array.from({ length: rows }, (_, row) => `photos/${row}.jpg\n`).join(''));
  });
  afterAll(() => rm(made.root, { recursive: true, force: true }));
  return made;
}

export async function receiptsIn(out: string): Promise<number> {
  const folders = await readdir(join(out, 'receipts')).catch(() => []);
  const names = await Promise.all(folders.map(folder => readdir(join(out, 'receipts', folder)).catch(() => [])));
  return names.flat().filter(name => name.endsWith('.json')).length;
}

export async function untilDone(out: string, shards: number): Promise<void> {
  await waitUntil(`${shards} shards of ${out} are done`, async () => (await receiptsIn(out)) >= shards);
}

/** Every row once, every value read. The rows of the null model are all `ok`. */
export async function expectClean(out: string, rows: number): Promise<void> {
  const { stdout, stderr, code } = await run(['verify', out, '--deep']);
  expect(stdout + stderr).toContain(`clean: ${rows} images`);
  expect(code).toBe(0);
}

export async function stopWorker(worker: Running): Promise<RunResult> {
  const engines = engineProcessesOf(worker.pid);
  worker.kill('SIGTERM');
  const ended = await worker.ended;
  expect(engines.filter(isRunning)).toEqual([]);
  return ended;
}

export function countOf(text: string, pattern: RegExp): number {
  return text.split('\n').filter(line => pattern.test(line)).length;
}
