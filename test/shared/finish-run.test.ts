// The end of a run: nothing before the last receipt, garbage gone, totals that add up, the same from whoever calls it.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { publishReceipt } from '../../services/worker/src/publish.ts';
import { finishRun, type RunSummary, summarizeRun } from '../../shared/src/finish-run.ts';
import { findGarbage, type Garbage, removeGarbage } from '../../shared/src/garbage.ts';
import { readReceipts, receiptPath, SUMMARY_FILE } from '../../shared/src/run.ts';
import { refusalOf } from '../support/refusal.ts';
import {
  createSmallRun,
  pathsIn,
  publishPart,
  publishShard,
  publishShards,
  receiptOf,
  type SmallRun,
} from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** 10 rows in three shards; one row of the first and one of the last failed. */
async function smallRun(): Promise<SmallRun> {
  return createSmallRun(await temporaryFolder(), { failedRows: [1, 8], format: 'both' });
}

async function namedParts(small: SmallRun): Promise<readonly string[]> {
  const paths: string[] = [];
  for await (const { files } of readReceipts(small.storage, small.run)) paths.push(...files.map(({ path }) => path));
  return paths.sort();
}

describe('finishRun', () => {
  it('does nothing while a shard is missing', async () => {
    const small = await smallRun();
    await publishShard(small, 0);
    await publishShard(small, 2);
    const leftover = await publishPart(small, 1);
    expect(await finishRun(small.storage, small.run)).toBeUndefined();
    expect(await small.storage.read(SUMMARY_FILE)).toBeUndefined();
    expect(await pathsIn(small.storage, 'parts')).toContain(leftover[0]?.path);
  });

  it('writes summary.json, README.md and queries.sql', async () => {
    const small = await smallRun();
    await publishShards(small);
    const summary = await finishRun(small.storage, small.run);
    expect(JSON.parse(await readFile(join(small.root, SUMMARY_FILE), 'utf8'))).toEqual(summary);
    for (const name of ['README.md', 'queries.sql']) {
      expect((await readFile(join(small.root, name), 'utf8')).length).toBeGreaterThan(100);
    }
  });

  it('removes parts that no receipt names and unfinished files, and nothing else', async () => {
    const small = await smallRun();
    await publishPart(small, 1, 5);
    const unfinished = await small.storage.stage('parts/000');
    onTestFinished(() => unfinished.abort());
    await unfinished.write(new Uint8Array(9));
    await publishShards(small);
    await mkdir(join(small.root, 'manifest/run-of-a-loser'));
    await writeFile(join(small.root, 'manifest/run-of-a-loser/000000.arrow'), 'planned in vain');
    await writeFile(join(small.root, 'receipts/000/.layertap-0123.tmp'), 'half a receipt');
    await mkdir(join(small.root, 'parts/notes'));
    await writeFile(join(small.root, 'parts/notes/mine.txt'), 'left by hand');
    await finishRun(small.storage, small.run);
    expect(await pathsIn(small.storage, 'parts')).toEqual(await namedParts(small));
    expect(await pathsIn(small.storage, 'receipts')).toHaveLength(3);
    expect(await pathsIn(small.storage, 'manifest')).toEqual([`manifest/${small.run.runId}/000000.arrow`]);
  });

  it('is safe to call twice, and by several workers at once: all write the same', async () => {
    const small = await smallRun();
    await publishPart(small, 1, 5);
    await publishShards(small);
    const first = await finishRun(small.storage, small.run);
    const text = await readFile(join(small.root, SUMMARY_FILE), 'utf8');
    const again = await Promise.all(Array.from({ length: 4 }, () => finishRun(small.storage, small.run)));
    for (const summary of again) expect(summary).toEqual(first);
    expect(await readFile(join(small.root, SUMMARY_FILE), 'utf8')).toBe(text);
    expect(await pathsIn(small.storage, '.')).toEqual(
      [
        ...(await namedParts(small)).map(path => `./${path}`),
        ...[0, 1, 2].map(shard => `./${receiptPath(small.run, shard)}`),
        './README.md',
        `./manifest/${small.run.runId}/000000.arrow`,
        './queries.sql',
        './run.json',
        './summary.json',
      ].sort(),
    );
  });

  it('refuses a damaged receipt instead of counting without it', async () => {
    const small = await smallRun();
    await publishShards(small);
    await writeFile(join(small.root, receiptPath(small.run, 1)), '{');
    await refusalOf(() => finishRun(small.storage, small.run), 'run-unreadable');
    expect(await small.storage.read(SUMMARY_FILE)).toBeUndefined();
  });
});

describe('the summary', () => {
  async function summaryOf(small: SmallRun): Promise<RunSummary> {
    return summarizeRun(small.storage, small.run);
  }

  it('adds up rows, failures, stages, files and bytes of all receipts', async () => {
    const small = await smallRun();
    await publishShards(small);
    const summary = await summaryOf(small);
    let bytes = 0;
    for (const path of await namedParts(small)) bytes += (await readFile(join(small.root, path))).length;
    expect(summary).toMatchObject({
      rows: 10,
      ok: 8,
      failed: 2,
      failures: { 'corrupt-image': 2 },
      shards: 3,
      files: 6,
      bytes,
      seconds: { read: 0.75, decode: 0, infer: 1.5, pool: 0, serialize: 0, publish: 0 },
      engine: 'onnx',
      fingerprint: small.run.fingerprint,
      columns: [
        { name: 'block/conv', shape: [4, 4, 8] },
        { name: 'avg_pool', shape: [16] },
      ],
    });
  });

  it('adds up the warnings, of receipts of before there were any too', async () => {
    const small = await smallRun();
    await publishShard(small, 0);
    for (const shard of [1, 2]) {
      const files = await publishPart(small, shard);
      await publishReceipt(small.storage, small.run, {
        ...receiptOf(small, shard, files),
        warnings: { 'not-finite': 2 },
      });
    }
    expect((await summaryOf(small)).warnings).toEqual({ 'not-finite': 4 });
  });

  it('leaves the pause between a stop and a resume out of the rate', async () => {
    const small = await smallRun();
    await publishShard(small, 0);
    await publishShard(small, 2);
    // Two shards of 2 s each, and 2 s between them in which nobody worked.
    expect(await summaryOf(small)).toMatchObject({ wallSeconds: 4 });
  });

  it('takes the rate from the first begin to the last end', async () => {
    const small = await smallRun();
    await publishShards(small);
    // The shards of 2 s each ended 2 s apart: 6 s in all.
    expect(await summaryOf(small)).toMatchObject({ wallSeconds: 6, imagesPerSecond: 10 / 6 });
  });

  it('names every worker once and every version that took part', async () => {
    const small = await smallRun();
    await publishShard(small, 0, 'b');
    await publishShard(small, 1, 'a');
    await publishShard(small, 2, 'b');
    const summary = await summaryOf(small);
    expect(summary.workers).toEqual(['machine/a', 'machine/b']);
    expect(summary.versions).toEqual({ node: ['20.20.2'] });
  });

  it('counts what is there of an unfinished run, from nothing on', async () => {
    const small = await smallRun();
    expect(await summaryOf(small)).toMatchObject({ rows: 0, shards: 0, wallSeconds: 0, imagesPerSecond: 0 });
    await publishShard(small, 1);
    expect(await summaryOf(small)).toMatchObject({ rows: 4, ok: 4, failed: 0, shards: 1 });
  });
});

describe('findGarbage', () => {
  it('of an unfinished run finds temporary files wherever they are written, for nobody but the idle', async () => {
    const small = await smallRun();
    await publishShard(small, 0);
    const name = '.layertap-0123.tmp';
    const own = `manifest/${small.run.runId}/${name}`;
    const paths = [name, own, `parts/000/${name}`, `quarantine/000/000000-1/${name}`, `receipts/000/${name}`];
    for (const path of paths) {
      await mkdir(join(small.root, path, '..'), { recursive: true });
      await writeFile(join(small.root, path), 'half');
    }
    const found = async (): Promise<readonly Garbage[]> =>
      [...(await findGarbage(small.storage, small.run))].sort((a, b) => (a.path < b.path ? -1 : 1));
    const all = paths.map(path => ({ kind: 'temporary', path }));
    expect(await found()).toEqual(all.map(entry => ({ ...entry, pending: entry.path !== own })));
    await publishShard(small, 1);
    await publishShard(small, 2);
    expect(await found()).toEqual(all.map(entry => ({ ...entry, pending: false })));
  });
});

describe('removeGarbage', () => {
  it('says what it removed', async () => {
    const small = await smallRun();
    await publishShards(small);
    expect(await removeGarbage(small.storage, small.run)).toEqual([]);
    const loser = await publishPart(small, 2, 7);
    expect([...(await removeGarbage(small.storage, small.run))].sort()).toEqual(loser.map(({ path }) => path).sort());
  });
});
