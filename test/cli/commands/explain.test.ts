// explain tells what became of one image: done, failed, done again or not yet.
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../../support/demo-set.ts';
import { jsonLines, run } from '../../support/layertap.ts';

const demo = useDemoSet();
const REQUEST = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm', '--shard-size', '4'];
let photos: string;
let out: string;

/** 12 images with a carried column; b07 is missing at first. */
beforeAll(async () => {
  photos = join(demo.root, 'photos');
  out = join(demo.root, 'out');
  await mkdir(photos);
  const ids = Array.from({ length: 12 }, (_, row) => `b${String(row).padStart(2, '0')}`);
  for (const [row, id] of ids.entries()) if (row !== 7) await copyFile(demo.image(row, 1), join(photos, `${id}.jpg`));
  const lines = ids.map((id, row) => `${id},${id}.jpg,${row * 10}`);
  await writeFile(join(photos, 'list.csv'), `sample_id,path,age\n${lines.join('\n')}\n`);
  const { code } = await run(['extract', join(photos, 'list.csv'), ...REQUEST, '--out', out]);
  expect(code).toBe(0);
});

async function explain(sample: string): Promise<Readonly<Record<string, unknown>>> {
  const { code, stdout, stderr } = await run(['explain', out, sample, '--json']);
  expect([code, stderr]).toEqual([0, '']);
  return jsonLines(stdout)[0] ?? {};
}

describe('explain', () => {
  it('tells shard, row, file, worker, times and versions of an image that is ok', async () => {
    const history = await explain('b06');
    expect(history).toMatchObject({
      ...{ sampleId: 'b06', uri: join(photos, 'b06.jpg'), row: 6, shard: 1, rowInShard: 2, state: 'ok', error: null },
      image: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), width: expect.any(Number), height: expect.any(Number) },
      files: [{ path: expect.stringMatching(/^parts\/000\/000001-/), row: 2 }],
      features: [{ column: 'features', shape: [96], there: true }],
      done: {
        attempt: 1,
        worker: { name: 'embedded', pid: expect.any(Number) },
        seconds: { infer: expect.any(Number) },
        versions: { layertap: expect.any(String), node: process.versions.node },
        cpu: expect.any(String),
        finishedAt: expect.any(String),
      },
      retries: [],
    });
    expect(await explain(join(photos, 'b06.jpg'))).toEqual(history);
    const { stdout } = await run(['explain', out, 'b06']);
    expect(stdout).toMatch(/^sample {3}b06\nuri {6}.*b06\.jpg\ncarried {2}age 60\nstate {4}ok\n/);
    expect(stdout).toContain('row      6 of the manifest, 2 of shard 000/000001');
  });

  it('tells why an image failed, and when it was done again', async () => {
    const failed = await explain('b07');
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'not-found' }, features: [{ there: false }] });
    await copyFile(demo.image(7, 1), join(photos, 'b07.jpg'));
    expect((await run(['retry-failed', out])).code).toBe(0);
    expect(await explain('b07')).toMatchObject({
      ...{ state: 'ok', error: null },
      retries: [{ worker: { name: 'embedded' }, finishedAt: expect.any(String), cpu: expect.any(String) }],
    });
    expect(await explain('b06')).toMatchObject({ state: 'ok', retries: [] });
    const { stdout } = await run(['explain', out, 'b07']);
    expect(stdout).toMatch(/^again {4}20.* by .*\/embedded \(process \d+\), layertap /m);
  });

  it('says that an image is not done yet', async () => {
    await rm(join(out, 'receipts/000/000002.json'));
    expect(await explain('b08')).toMatchObject({ row: 8, shard: 2, state: 'undone', done: null, files: [] });
  });

  it('refuses a sample that there is not with status 1, and a missing one with status 2', async () => {
    const [unknown, none] = await Promise.all([run(['explain', out, 'b99']), run(['explain', out])]);
    expect(unknown.stderr).toContain('Expected a sample_id or uri of the 12 in');
    expect(none.stderr).toContain('Expected OUT and SAMPLE but received');
    expect([unknown.code, none.code]).toEqual([1, 2]);
  });
});
