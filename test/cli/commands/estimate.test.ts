// layertap estimate: shapes, dimensions and bytes before a run, the same as the run then has.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DEMO_MODEL } from '../../support/demo-set.ts';
import { jsonLines, run } from '../../support/layertap.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

it('prints every layer with what it takes', async () => {
  const { code, stdout } = await run(['estimate', DEMO_MODEL, '--images', '1000000']);
  expect(code).toBe(0);
  const lines = stdout.split('\n');
  expect(lines[0]).toMatch(/^column +shape +dimension +per image +1000000 images$/);
  expect(lines.find(line => line.startsWith('conv3 '))).toMatch(/^conv3 +16 × 16 × 64 +16384 +65\.5 kB +65\.5 GB$/);
  expect(stdout).toMatch(/All \d+ columns of 1000000 images: about 1\.6 TB/);
});

it('takes the options of an extraction, and counts the source', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'list.txt'), Array.from({ length: 70 }, (_, row) => `${row}.jpg`).join('\n'));
  const source = join(folder, 'list.txt');
  const flags = ['--layer', 'conv3', '--pool', 'mean', '--pool', 'grid:2x2', '--dtype', 'float16', '--format', 'both'];
  const { stdout } = await run(['estimate', DEMO_MODEL, source, ...flags, '--limit', '50', '--json']);
  expect(jsonLines(stdout)[0]).toMatchObject({
    images: 50,
    columns: [
      { name: 'conv3@mean', shape: [64], dtype: 'float16', dimension: 64, bytesPerImage: 128, bytes: 128 * 50 * 2 },
      { name: 'conv3@grid:2x2', shape: [2, 2, 64], dimension: 256, bytesPerImage: 512, bytes: 512 * 50 * 2 },
    ],
    bytes: (128 + 512 + 300) * 50 * 2,
  });
});

it('names layers that a pooling does not fit, and refuses those that were asked for', async () => {
  const all = await run(['estimate', DEMO_MODEL, '--pool', 'cls']);
  expect(all.stdout).toContain("Expected a pooling that fits layer 'conv3' of shape [16, 16, 64] but received cls");
  expect(all.stdout).toMatch(/^features +96 /m);
  const one = await run(['estimate', DEMO_MODEL, '--pool', 'cls', '--layer', 'conv3']);
  expect([one.code, one.stdout]).toEqual([2, '']);
  expect(one.stderr).toContain('it takes [tokens, channels]');
});

it('asks for a model', async () => {
  const { code, stderr } = await run(['estimate']);
  expect(code).toBe(2);
  expect(stderr).toContain('Expected MODEL');
});
