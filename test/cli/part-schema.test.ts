// A run goes on in the part schema that it began with, whatever changes it: its parts are alike.
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPartSchema } from '../../shared/src/part-reader.ts';
import { featureOfField, holdsNaN } from '../../shared/src/tensor.ts';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { run } from '../support/layertap.ts';
import { readRows } from '../support/read-rows.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const demo = useDemoSet();

interface Started {
  readonly images: string;
  readonly out: string;
}

/** Six images, of which the third is none. */
async function extracted(): Promise<Started> {
  const folder = await temporaryFolder();
  const [images, out] = [join(folder, 'images'), join(folder, 'out')];
  await mkdir(images);
  for (let row = 0; row < 6; row++) await cp(demo.image(row, 0), join(images, `${row}.jpg`));
  await writeFile(join(images, '2.jpg'), 'no image');
  const request = ['--model', DEMO_MODEL, '--layer', 'conv3', '--engine', 'wasm', '--shard-size', '2', '--batch', '2'];
  await succeed('extract', images, ...request, '--out', out);
  return { images, out };
}

/** The same run as an earlier version planned it, with nothing done. */
async function asOfOld({ out }: Started): Promise<void> {
  const path = join(out, 'run.json');
  const { partSchema, ...old } = JSON.parse(await readFile(path, 'utf8'));
  expect(partSchema).toBe(2);
  await writeFile(path, JSON.stringify(old));
  for (const name of ['receipts', 'parts', 'summary.json']) await rm(join(out, name), { recursive: true });
}

async function succeed(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await run(args);
  expect([code, stderr]).toEqual([0, expect.anything()]);
}

/** Of all parts: whether failed rows hold NaN in the columns of layers. */
async function layouts(out: string): Promise<ReadonlySet<boolean>> {
  const names = (await readdir(join(out, 'parts'), { recursive: true })).filter(name => name.endsWith('.parquet'));
  const schemas = await Promise.all(names.map(name => readPartSchema(join(out, 'parts', name), 'parquet')));
  const fields = schemas.flatMap(schema => schema.fields.filter(field => featureOfField(field) !== undefined));
  return new Set(fields.map(holdsNaN));
}

describe.each([
  ['an earlier version', false],
  ['this version', true],
])('a run that %s began', (_, isNew) => {
  it('is finished, extended, retried, given a layer and compacted with parts that are all alike', async () => {
    const started = await extracted();
    const { images, out } = started;
    if (!isNew) await asOfOld(started);
    const expectAlike = async (rows: number): Promise<void> => {
      expect((await run(['verify', out, '--deep'])).stdout).toMatch(new RegExp(`^clean: ${rows} images`));
      expect([...(await layouts(out))]).toEqual([isNew]);
    };
    await succeed('resume', out);
    await expectAlike(6);
    expect((await readRows(out)).get('2.jpg')?.features).toEqual({ conv3: null });
    await cp(demo.image(7, 0), join(images, '7.jpg'));
    await writeFile(join(images, '8.jpg'), 'no image either');
    await succeed('extend', out);
    await expectAlike(8);
    await succeed('add-layer', out, '--layer', 'features');
    await expectAlike(8);
    await cp(demo.image(2, 0), join(images, '2.jpg'));
    // The other one fails again.
    expect((await run(['retry-failed', out])).code).toBe(1);
    await expectAlike(8);
    const rows = await readRows(out);
    expect(rows.get('8.jpg')?.features).toEqual({ conv3: null, features: null });
    expect(rows.get('2.jpg')?.features.conv3?.every(Number.isFinite)).toBe(true);
    await succeed('compact', out);
    await expectAlike(8);
    expect(await readRows(out)).toEqual(rows);
  });
});
