// Demo images and lists over them, for tests of whole commands: made once per test file, gone after it.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { makeDemoImages } from '../../demo/src/images.ts';
import { SHAPE_NAMES } from '../../demo/src/shapes.ts';

export const DEMO_MODEL = fileURLToPath(new URL('../../demo/model/model.json', import.meta.url));

/** The broken files among the demo images, and what becomes of each. */
export const BROKEN_CODES: Readonly<Record<string, string>> = {
  'arrow/broken-truncated.jpg': 'corrupt-image',
  'circle/broken-empty.jpg': 'empty-file',
  'heart/broken-text.jpg': 'unsupported-format',
  'square/broken-huge.png': 'image-too-large',
  'triangle/broken-random.jpg': 'unsupported-format',
};

export interface DemoSet {
  /** A folder for everything that the tests of the file write. */
  readonly root: string;
  /** 4 images of each of 10 classes, and the 5 broken ones: 45 rows. */
  readonly images: string;
  readonly rows: number;
  /** Path of a whole image. */
  image(shape: number, index: number): string;
  /** A list of `rows` samples over the whole images, so that a run takes a while; each has its own id. */
  longList(rows: number): Promise<string>;
}

const PER_CLASS = 4;

/** Makes the set before the first test of the file or of the enclosing `describe`. */
export function useDemoSet(): DemoSet {
  const root: { path: string } = { path: '' };
  beforeAll(async () => {
    root.path = await mkdtemp(join(tmpdir(), 'layertap-test-'));
    await makeDemoImages(join(root.path, 'images'), { perClass: PER_CLASS, seed: 5 });
  });
  afterAll(() => rm(root.path, { recursive: true, force: true }));

  function image(shape: number, index: number): string {
    const name = SHAPE_NAMES[shape % SHAPE_NAMES.length];
    return join(root.path, 'images', `${name}`, `${name}-${String(index % PER_CLASS).padStart(3, '0')}.jpg`);
  }

  return {
    get root(): string {
      return root.path;
    },
    get images(): string {
      return join(root.path, 'images');
    },
    rows: SHAPE_NAMES.length * PER_CLASS + Object.keys(BROKEN_CODES).length,
    image,
    async longList(rows): Promise<string> {
      const path = join(root.path, `list-${rows}.csv`);
      const lines = Array.from({ length: rows }, (_, row) => `s${row},${image(row, Math.floor(row / 10))}`);
      await writeFile(path, `sample_id,path\n${lines.join('\n')}\n`);
      return path;
    },
  };
}
