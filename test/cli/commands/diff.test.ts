// diff says why two runs differ and by how much, also where they have other images, shards and formats.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../../support/demo-set.ts';
import { jsonLines, type RunResult, run } from '../../support/layertap.ts';
import { readRows } from '../../support/read-rows.ts';

const demo = useDemoSet();
const BASE = ['--model', DEMO_MODEL, '--engine', 'wasm', '--layer', 'features'];
let list: string;

beforeAll(async () => {
  list = await demo.longList(20);
  await extract('one', list, ['--shard-size', '8']);
});

async function extract(name: string, source: string, flags: readonly string[]): Promise<void> {
  const { code, stderr } = await run(['extract', source, ...BASE, ...flags, '--out', join(demo.root, name)]);
  expect([code, stderr]).toEqual([0, expect.anything()]);
}

function diff(name: string, ...flags: readonly string[]): Promise<RunResult> {
  return run(['diff', join(demo.root, 'one'), join(demo.root, name), ...flags]);
}

async function report(name: string, code: number, ...flags: readonly string[]) {
  const result = await diff(name, '--json', ...flags);
  expect([result.code, result.stderr]).toEqual([code, '']);
  return jsonLines(result.stdout)[0];
}

/** The definition, over all images at once. */
async function distances(name: string): Promise<readonly { id: string; cosine: number; difference: number }[]> {
  const [one, other] = await Promise.all(['one', name].map(run => readRows(join(demo.root, run))));
  return [...(one ?? [])].flatMap(([id, { features }]) => {
    const [a, b] = [features.features, other?.get(id)?.features.features];
    if (a == null || b == null) return [];
    const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, v, at) => sum + v * (y[at] ?? 0), 0);
    const difference = Math.max(...a.map((v, at) => Math.abs(v - (b[at] ?? 0))));
    return [{ id, cosine: dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)), difference }];
  });
}

describe('diff', () => {
  it('of the same work in other shards and another format finds equal features', async () => {
    await extract('shards', list, ['--shard-size', '4', '--format', 'arrow']);
    const found = await report('shards', 0);
    expect(found).toMatchObject({
      ...{ equal: true, rows: 20, onlyInOne: 0, onlyInOther: 0, otherStatus: 0, unmatched: [] },
      columns: [{ column: 'features', rows: 20, identical: 20, leastCosine: 1, medianCosine: 1, maxAbsDifference: 0 }],
      differences: [
        { subject: 'storage', name: 'format', one: '"parquet"', other: '"arrow"', deciding: false },
        { subject: 'storage', name: 'shardSize', one: '8', other: '4', deciding: false },
      ],
    });
    expect((await diff('shards')).stdout).toMatch(/^equal: 20 images in both\n/);
  });

  it('of another recipe names the field and measures each column', async () => {
    await extract('bgr', list, ['--channels', 'bgr', '--shard-size', '8']);
    const found = await report('bgr', 1);
    const expected = await distances('bgr');
    const cosines = expected.map(({ cosine }) => cosine).sort((a, b) => a - b);
    const least = expected.find(({ cosine }) => cosine === cosines[0]);
    const near = (value: number | undefined): unknown => expect.closeTo(value ?? Number.NaN, 5);
    expect(found).toMatchObject({
      equal: false,
      differences: [{ subject: 'recipe', name: 'recipe.channels', one: '"rgb"', other: '"bgr"', deciding: true }],
      columns: [
        {
          rows: 20,
          leastCosine: near(cosines[0]),
          medianCosine: near(((cosines[9] ?? 0) + (cosines[10] ?? 0)) / 2),
          maxAbsDifference: near(Math.max(...expected.map(({ difference }) => difference))),
          leastAt: least?.id,
        },
      ],
    });
    const { stdout } = await diff('bgr');
    expect(stdout).toContain('What decides a feature differs:\n  recipe.channels: "rgb" and "bgr"');
  });

  it('of another type of the values is equal within a cosine that is given', async () => {
    await extract('half', list, ['--dtype', 'float16', '--shard-size', '8']);
    expect(await report('half', 1)).toMatchObject({ columns: [{ rows: 20 }], equal: false });
    expect(await report('half', 0, '--cosine', '0.9999')).toMatchObject({ equal: true });
  });

  it('of other images compares those that both have, in whatever order', async () => {
    const lines = [19, 3, 4, 0, 12].map(row => `s${row},${demo.image(row, Math.floor(row / 10))}`);
    const other = join(demo.root, 'other.csv');
    await writeFile(other, `sample_id,path\n${lines.join('\n')}\nnew,${demo.image(1, 1)}\nlost,nowhere.jpg\n`);
    await extract('others', other, ['--shard-size', '3', '--layer', 'conv4', '--pool', 'none']);
    expect(await report('others', 1)).toMatchObject({
      ...{ rows: 5, onlyInOne: 15, onlyInOther: 2, otherStatus: 0, unmatched: ['conv4'] },
      columns: [{ column: 'features', rows: 5, leastCosine: expect.closeTo(1, 5) }],
    });
  });

  it('of two runs without a feature in both is not equal', async () => {
    const lost = join(demo.root, 'lost.csv');
    await writeFile(lost, 'sample_id,path\na,nowhere.jpg\nb,nowhere-else.jpg\n');
    expect((await run(['extract', lost, ...BASE, '--out', join(demo.root, 'lost')])).code).toBe(1);
    const result = await run(['diff', join(demo.root, 'lost'), join(demo.root, 'lost')]);
    expect(result.code).toBe(1);
    expect(result.stdout).toContain('different: 2 images in both\nnothing to compare');
    const json = await run(['diff', join(demo.root, 'lost'), join(demo.root, 'lost'), '--json']);
    expect(jsonLines(json.stdout)).toMatchObject([{ equal: false, nothingToCompare: true }]);
  });

  it('refuses what is no run with status 1, and one argument alone with status 2', async () => {
    const [noRun, one] = await Promise.all([diff('nowhere'), run(['diff', join(demo.root, 'one')])]);
    expect(noRun.stderr).toContain('has no run.json');
    expect(one.stderr).toContain('Expected OUT and OTHER but received');
    expect([noRun.code, one.code]).toEqual([1, 2]);
  });
});
