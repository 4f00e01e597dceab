// gc removes what belongs to nothing and never what a worker may still need.
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBullmqQueue } from '../../../shared/src/queues/bullmq.ts';
import { DEMO_MODEL, useDemoSet } from '../../support/demo-set.ts';
import { filesBelow } from '../../support/files-below.ts';
import { jsonLines, run } from '../../support/layertap.ts';
import { readJson } from '../../support/read-rows.ts';
import { redisUrl } from '../../support/redis.ts';

const demo = useDemoSet();
const REQUEST = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm', '--shard-size', '8'];
const GARBAGE = {
  'parts/000/000001-00000000.parquet': 'part',
  'parts/000/.layertap-0123456789abcdef.tmp': 'temporary',
  'receipts/000/.layertap-0123456789abcdef.tmp': 'temporary',
  'manifest/run-of-a-loser/000000.arrow': 'manifest',
  'quarantine/000/000001-3/.layertap-0123456789abcdef.tmp': 'temporary',
  '.layertap-retry-01234567/run.json': 'workspace',
  '.layertap-retry-89abcdef/manifest/run-half/.layertap-0123456789abcdef.tmp': 'workspace',
  '.layertap-0123456789abcdef.tmp': 'temporary',
};
let copies = 0;

beforeAll(async () => {
  const { code } = await run(['extract', demo.images, ...REQUEST, '--out', join(demo.root, 'whole')]);
  expect(code).toBe(0);
});

/** A copy of the whole run with one of each kind of garbage. */
async function littered(): Promise<string> {
  const out = join(demo.root, `copy-${copies++}`);
  await cp(join(demo.root, 'whole'), out, { recursive: true });
  for (const path of Object.keys(GARBAGE)) {
    await mkdir(join(out, path, '..'), { recursive: true });
    await writeFile(join(out, path), 'garbage');
  }
  return out;
}

async function gc(out: string, ...flags: readonly string[]) {
  const { code, stdout, stderr } = await run(['gc', out, '--json', ...flags]);
  expect([code, stderr]).toEqual([0, '']);
  const [report] = jsonLines(stdout);
  return report as { removed: { kind: string; path: string; bytes: number }[]; kept: number; jobs?: number | null };
}

describe('gc', () => {
  it('of a finished run lists every kind of garbage first, then removes it and nothing else', async () => {
    const out = await littered();
    const before = await filesBelow(out);
    const listed = await gc(out, '--dry-run');
    expect(Object.fromEntries(listed.removed.map(({ path, kind }) => [path, kind]))).toEqual(GARBAGE);
    expect(listed.removed.every(({ bytes }) => bytes === 7)).toBe(true);
    expect(await filesBelow(out)).toEqual(before);
    const removed = await gc(out);
    expect(removed).toMatchObject({ removed: listed.removed, kept: 0 });
    const kept = new Set(Object.keys(GARBAGE).map(path => join(out, path)));
    expect(await filesBelow(out)).toEqual(before.filter(path => !kept.has(path)));
    expect((await readdir(out)).filter(name => name.startsWith('.'))).toEqual([]);
    const { stdout } = await run(['gc', out]);
    expect(stdout).toBe('removed: 0 files, 0 bytes\n');
    expect((await run(['verify', out])).code).toBe(0);
  });

  it('of an unfinished run leaves what a worker may need, until it is told that none is at work', async () => {
    const out = await littered();
    await rm(join(out, 'receipts/000/000002.json'));
    const careful = await gc(out);
    expect(careful.kept).toBe(5);
    expect(careful.removed.map(({ path }) => path).sort()).toEqual([
      '.layertap-retry-01234567/run.json',
      '.layertap-retry-89abcdef/manifest/run-half/.layertap-0123456789abcdef.tmp',
      'manifest/run-of-a-loser/000000.arrow',
      'parts/000/000001-00000000.parquet',
    ]);
    const idle = await gc(out, '--idle');
    expect(idle.removed.map(({ kind }) => kind).sort()).toEqual([
      'part',
      'temporary',
      'temporary',
      'temporary',
      'temporary',
    ]);
    expect((await run(['verify', out])).stdout).not.toContain('named by no receipt');
  });

  it('--redis removes the jobs of a run that is done, and of no other', async () => {
    const out = await littered();
    const { runId, fingerprint } = await readJson<{ runId: string; fingerprint: string }>(out, 'run.json');
    const name = `gc-${process.pid}`;
    const queue = await openBullmqQueue({ url: redisUrl(), name });
    try {
      const job = { version: 1, out, fingerprint } as const;
      await queue.add([0, 1].map(shard => ({ ...job, runId, shard })));
      await queue.add([{ ...job, runId: 'run-other', shard: 0 }]);
      const flags = ['--redis', redisUrl(), '--queue', name];
      await rm(join(out, 'receipts/000/000002.json'));
      expect((await gc(out, ...flags)).jobs).toBeNull();
      expect((await run(['resume', out])).code).toBe(0);
      expect((await gc(out, ...flags, '--dry-run')).jobs).toBe(2);
      expect(await queue.held(runId)).toBe(2);
      expect((await gc(out, ...flags)).jobs).toBe(2);
      expect([await queue.held(runId), await queue.held('run-other')]).toEqual([0, 1]);
      await queue.forget('run-other');
    } finally {
      await queue.close();
    }
  });
});
