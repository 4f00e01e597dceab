// Several models in one run: each image is decoded once, and every column is what its model gives alone.
import { cp, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { run } from '../support/layertap.ts';
import { type ReadRow, readJson, readRows } from '../support/read-rows.ts';

const demo = useDemoSet();
const ENGINE = ['--engine', 'onnx'];

/** The demo model again, with another recipe beside it. */
async function otherModel(): Promise<string> {
  const folder = join(demo.root, 'other');
  await cp(dirname(DEMO_MODEL), folder, { recursive: true });
  const sidecar = join(folder, 'model.recipe.json');
  const recipe = JSON.parse(await readFile(sidecar, 'utf8')) as object;
  await writeFile(sidecar, JSON.stringify({ ...recipe, channels: 'bgr', resize: 'pillow:bicubic' }));
  return join(folder, 'model.json');
}

async function extract(out: string, ...flags: readonly string[]): Promise<ReadonlyMap<string, ReadRow>> {
  const { code, stderr } = await run(['extract', demo.images, ...ENGINE, ...flags, '--out', join(demo.root, out)]);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return readRows(join(demo.root, out));
}

describe('a run of two models of different recipes', () => {
  let other: string;
  let both: ReadonlyMap<string, ReadRow>;

  beforeAll(async () => {
    other = await otherModel();
    const flags = ['--model', DEMO_MODEL, '--model', other, '--layer', 'features', '--layer', 'other/conv4'];
    both = await extract('both', ...flags, '--pool', 'mean');
  });

  it('gives the very features that each gives alone, under its name', async () => {
    const first = await extract('first', '--model', DEMO_MODEL, '--layer', 'features', '--pool', 'mean');
    const second = await extract(
      'second',
      '--model',
      other,
      '--layer',
      'features',
      '--layer',
      'conv4',
      '--pool',
      'mean',
    );
    expect(both.size).toBe(demo.rows);
    let differing = 0;
    for (const [id, { values, features }] of both) {
      expect([id, values]).toEqual([id, first.get(id)?.values]);
      expect(Object.keys(features)).toEqual(['model/features', 'other/features', 'other/conv4']);
      expect(features['model/features']).toEqual(first.get(id)?.features.features);
      expect(features['other/features']).toEqual(second.get(id)?.features.features);
      expect(features['other/conv4']).toEqual(second.get(id)?.features.conv4);
      if (String(features['model/features']) !== String(features['other/features'])) differing++;
    }
    expect(differing).toBeGreaterThan(demo.rows / 2);
  });

  it('is checked, continued and refused as a whole', async () => {
    const out = join(demo.root, 'both');
    expect(await run(['verify', out])).toMatchObject({ code: 0 });
    expect(await run(['resume', out])).toMatchObject({ code: 0 });
    const less = await run([
      'extract',
      demo.images,
      ...ENGINE,
      '--model',
      DEMO_MODEL,
      '--layer',
      'features',
      '--out',
      out,
    ]);
    expect(less.code).not.toBe(0);
    expect(less.stderr).toMatch(/otherModels was .* and is now none/);
    const { columns } = await readJson<{ columns: readonly { name: string }[] }>(out, 'summary.json');
    expect(columns.map(({ name }) => name)).toEqual(['model/features', 'other/features', 'other/conv4']);
    expect(await readFile(join(out, 'README.md'), 'utf8')).toMatch(/gives the columns `other\/…`/);
  });
});

describe('several models', () => {
  it('are refused under one name', async () => {
    const flags = ['--model', DEMO_MODEL, '--model', DEMO_MODEL, '--layer', 'features', '--out', join(demo.root, 'x')];
    const { code, stderr } = await run(['extract', demo.images, ...flags]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/Expected models of different names but two are called 'model'[\s\S]*--model first=PATH/);
  });
});
