// The quarantine: what stands there for one image, and that it is found again.
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Crash, failureOf, quarantineImage, readQuarantine } from '../../../services/worker/src/quarantine.ts';
import { finishRun } from '../../../shared/src/finish-run.ts';
import { verifyRun } from '../../../shared/src/verify-run.ts';
import { refusalOf } from '../../support/refusal.ts';
import { createSmallRun, pathsIn, publishShards, RECIPE, type SmallRun } from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const BYTES = Buffer.from('no matter what');

async function smallRun(): Promise<SmallRun> {
  return createSmallRun(await temporaryFolder());
}

async function crashOf(shard: number, row: number, name = 'a photo.JPG'): Promise<Crash> {
  const uri = join(await temporaryFolder(), name);
  await writeFile(uri, BYTES);
  return { shard, row, sample: { sampleId: 'an id', uri, carried: [] }, death: 'ended by SIGBUS' };
}

describe('an image in quarantine', () => {
  it('is a copy with a record, a list and a recipe', async () => {
    const { storage, run, root } = await smallRun();
    const crash = await crashOf(1, 3);
    const folder = await quarantineImage(storage, run, crash);
    expect(await pathsIn(storage, 'quarantine')).toEqual(
      ['crash.json', 'image.JPG', 'list.txt', 'recipe.json'].map(name => `quarantine/000/000001-3/${name}`),
    );
    expect(await readFile(join(root, folder, 'image.JPG'))).toEqual(BYTES);
    expect(JSON.parse(await readFile(join(root, folder, 'recipe.json'), 'utf8'))).toEqual(RECIPE);
    const records = await readQuarantine(storage, run, 1);
    expect([...records]).toEqual([
      [
        3,
        {
          version: 1,
          shard: 1,
          row: 3,
          sampleId: 'an id',
          uri: crash.sample.uri,
          sha256: createHash('sha256').update(BYTES).digest('hex'),
          death: 'ended by SIGBUS',
          copy: 'image.JPG',
          reproduce: expect.stringMatching(/^npx layertap extract \S+000001-3\/list.txt .* --out reproduction$/),
        },
      ],
    ]);
  });

  it('is found by its shard alone', async () => {
    const { storage, run } = await smallRun();
    await quarantineImage(storage, run, await crashOf(0, 2));
    await quarantineImage(storage, run, await crashOf(0, 0, 'no extension'));
    await quarantineImage(storage, run, await crashOf(2, 1));
    expect([...(await readQuarantine(storage, run, 0)).keys()].sort()).toEqual([0, 2]);
    expect((await readQuarantine(storage, run, 1)).size).toBe(0);
    expect([...(await readQuarantine(storage, run, 2)).keys()]).toEqual([1]);
  });

  it('has no copy where its file cannot be read', async () => {
    const { storage, run } = await smallRun();
    const crash = await crashOf(0, 0);
    await quarantineImage(storage, run, { ...crash, sample: { ...crash.sample, uri: '/nowhere/photo.jpg' } });
    expect((await readQuarantine(storage, run, 0)).get(0)).toMatchObject({ sha256: null, copy: null, reproduce: null });
    expect(await pathsIn(storage, 'quarantine')).toEqual(['quarantine/000/000000-0/crash.json']);
  });

  it('without its record is none: that comes last', async () => {
    const { storage, run, root } = await smallRun();
    await mkdir(join(root, 'quarantine/000/000000-1'), { recursive: true });
    await writeFile(join(root, 'quarantine/000/000000-1/image.jpg'), BYTES);
    expect((await readQuarantine(storage, run, 0)).size).toBe(0);
  });

  it('is refused where its record is damaged', async () => {
    const { storage, run, root } = await smallRun();
    const path = join(root, await quarantineImage(storage, run, await crashOf(0, 0)), 'crash.json');
    await writeFile(path, '{"version":1');
    const { message, hint } = await refusalOf(() => readQuarantine(storage, run, 0), 'run-unreadable');
    expect(message).toContain(path);
    expect(hint).toContain('resume');
  });

  it('becomes a row that says how the process ended and where to look', async () => {
    const { storage, run } = await smallRun();
    await quarantineImage(storage, run, await crashOf(0, 0));
    const record = (await readQuarantine(storage, run, 0)).get(0);
    expect(record && failureOf(record, run)).toEqual({
      code: 'crashed-worker',
      message: 'alone with it, the engine process ended by SIGBUS: see quarantine/000/000000-0',
    });
  });

  it('stays when the run is finished, and harms no verification', async () => {
    const small = await smallRun();
    await quarantineImage(small.storage, small.run, await crashOf(0, 0));
    await publishShards(small);
    await finishRun(small.storage, small.run);
    expect(await pathsIn(small.storage, 'quarantine')).toHaveLength(4);
    expect((await verifyRun(small.storage, small.run)).damages).toEqual([]);
  });
});
