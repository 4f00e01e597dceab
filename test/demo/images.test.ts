import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDemoImages } from '../../demo/src/images.ts';
import { DEMO_RECIPE } from '../../demo/src/network.ts';
import { SHAPE_NAMES } from '../../demo/src/shapes.ts';
import { prepareImage } from '../../extractor/src/preprocess/prepare-image.ts';

const PER_CLASS = 4;

describe('the demo images', () => {
  let root: string;
  let first: string;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'layertap-demo-'));
    first = join(root, 'first');
    await makeDemoImages(first, { perClass: PER_CLASS });
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it('come in ten class folders, with the broken files among them', async () => {
    expect(await makeDemoImages(first, { perClass: PER_CLASS })).toEqual({ images: 40, broken: 5 });
    const folders = (await readdir(first)).filter(name => !name.startsWith('.'));
    expect(folders.sort()).toEqual([...SHAPE_NAMES]);
    expect(folders).toHaveLength(10);
    const files = await filesOf(first);
    expect(files.filter(file => file.includes('/broken-'))).toHaveLength(5);
    expect(files.filter(file => /^([a-z]+)\/\1-\d{3}\.jpg$/.test(file))).toHaveLength(40);
  });

  it('are the same bytes each time they are made', async () => {
    const second = join(root, 'second');
    await makeDemoImages(second, { perClass: PER_CLASS });
    expect(await digestOf(second)).toBe(await digestOf(first));
  });

  it('are others with another seed, and hold no broken file where none is wanted', async () => {
    const other = join(root, 'other');
    expect(await makeDemoImages(other, { perClass: PER_CLASS, seed: 9, broken: false })).toEqual({
      images: 40,
      broken: 0,
    });
    const files = await filesOf(other);
    expect(files).toHaveLength(40);
    const equal = files.map(async file =>
      (await readFile(join(other, file))).equals(await readFile(join(first, file))),
    );
    expect(await Promise.all(equal)).not.toContain(true);
  });

  it('vary in size and are seldom square', async () => {
    const files = (await filesOf(first)).filter(file => !file.includes('broken'));
    const sizes = await Promise.all(files.map(file => sharp(join(first, file)).metadata()));
    for (const { width, height } of sizes) {
      expect(Math.min(width, height)).toBeGreaterThanOrEqual(120);
      expect(Math.max(width, height)).toBeLessThanOrEqual(400);
    }
    expect(new Set(sizes.map(({ width, height }) => `${width}x${height}`)).size).toBeGreaterThan(30);
  });

  it('are readable by the pipeline, and every broken one fails with a code', async () => {
    const files = await filesOf(first);
    const codes = new Map<string, string>();
    for (const file of files) {
      const prepared = await prepareImage(await readFile(join(first, file)), DEMO_RECIPE);
      if (!prepared.ok) codes.set(file, prepared.failure.code);
    }
    expect(Object.fromEntries(codes)).toEqual({
      'arrow/broken-truncated.jpg': 'corrupt-image',
      'circle/broken-empty.jpg': 'empty-file',
      'heart/broken-text.jpg': 'unsupported-format',
      'square/broken-huge.png': 'image-too-large',
      'triangle/broken-random.jpg': 'unsupported-format',
    });
  });

  it('are left alone when complete and finished when not', async () => {
    const directory = join(root, 'interrupted');
    await makeDemoImages(directory, { perClass: PER_CLASS });
    const kept = await stat(join(directory, 'star/star-000.jpg'));
    await rm(join(directory, 'star/star-001.jpg'));
    await rm(join(directory, 'ring'), { recursive: true });
    await makeDemoImages(directory, { perClass: PER_CLASS });
    expect(await digestOf(directory)).toBe(await digestOf(first));
    expect((await stat(join(directory, 'star/star-000.jpg'))).mtimeMs).toBe(kept.mtimeMs);
  });

  it('replace those of other options, and nothing else', async () => {
    const directory = join(root, 'changed');
    await makeDemoImages(directory, { perClass: PER_CLASS + 1, seed: 5 });
    await writeFile(join(directory, 'notes.txt'), 'mine');
    await makeDemoImages(directory, { perClass: PER_CLASS });
    expect(await readFile(join(directory, 'notes.txt'), 'utf8')).toBe('mine');
    await rm(join(directory, 'notes.txt'));
    expect(await digestOf(directory)).toBe(await digestOf(first));
  });

  it('are refused a directory that holds something else', async () => {
    const directory = join(root, 'taken');
    await mkdir(directory);
    await writeFile(join(directory, 'holiday.jpg'), 'mine');
    await expect(makeDemoImages(directory)).rejects.toMatchObject({ code: 'output-unwritable' });
    expect(await readdir(directory)).toEqual(['holiday.jpg']);
  });
});

/** Visible files, relative to the directory, in order. */
async function filesOf(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true });
  return entries.filter(name => /\.(jpg|png|txt)$/.test(name)).sort();
}

async function digestOf(directory: string): Promise<string> {
  const hash = createHash('sha256');
  for (const file of await filesOf(directory)) hash.update(file).update(await readFile(join(directory, file)));
  return hash.digest('hex');
}
