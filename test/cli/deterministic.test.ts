// `--deterministic`: two runs have equal parts to the last byte, and a worker of other conditions declines.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { ShardReceipt } from '../../shared/src/receipt.ts';
import { openRun, readReceipts } from '../../shared/src/run.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { run } from '../support/layertap.ts';
import { readJson } from '../support/read-rows.ts';

const demo = useDemoSet();
const FLAGS = ['--model', DEMO_MODEL, '--layer', 'features', '--layer', 'conv3', '--engine', 'onnx', '--batch', '4'];

async function extract(out: string, ...flags: readonly string[]): Promise<readonly ShardReceipt['files'][]> {
  const place = join(demo.root, out);
  const args = ['extract', demo.images, ...FLAGS, '--deterministic', '--format', 'both', '--shard-size', '12'];
  const { code, stderr } = await run([...args, ...flags, '--out', place]);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return filesOf(place);
}

async function filesOf(place: string): Promise<readonly ShardReceipt['files'][]> {
  const storage = openFileStorage(place);
  const files: ShardReceipt['files'][] = [];
  for await (const receipt of readReceipts(storage, await openRun(storage))) files.push(receipt.files);
  return files;
}

it('gives equal parts, whichever way the work was shared out', async () => {
  const first = await extract('first', '--processes', '1');
  expect(first).toHaveLength(4);
  expect(await extract('second', '--processes', '2', '--decode-threads', '3')).toEqual(first);
});

it('leaves a run to workers of the conditions that it began with', async () => {
  await extract('begun');
  const place = join(demo.root, 'begun');
  const file = join(place, 'deterministic.json');
  const conditions = await readJson<{ threads: number; versions: Record<string, string> }>(file);
  expect(conditions).toMatchObject({ threads: 1, versions: { node: process.versions.node } });
  expect(Object.keys(conditions.versions)).toEqual(expect.arrayContaining(['layertap', 'sharp', 'onnxruntime-node']));
  await writeFile(file, JSON.stringify({ ...conditions, versions: { ...conditions.versions, sharp: '0.1.0' } }));
  const storage = openFileStorage(place);
  await storage.remove('receipts/000/000001.json');
  const { code, stderr } = await run(['resume', place]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/sharp was 0\.1\.0 and is 0\.\d+\.\d+ here/);
  await writeFile(file, JSON.stringify(conditions));
  expect(await run(['resume', place, '--threads', '2'])).toMatchObject({ code: 1 });
  expect(await run(['resume', place])).toMatchObject({ code: 0 });
  expect(await run(['verify', place])).toMatchObject({ code: 0 });
});
