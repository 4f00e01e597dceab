// Files to input values on threads: every way in which a path can disappoint ends as a row's code.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareImage } from '../../../extractor/src/preprocess/prepare-image.ts';
import { type DecodePool, openDecodePool } from '../../../services/worker/src/decode-pool.ts';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';
import { Recipe } from '../../../shared/src/recipe.ts';
import { makePng } from '../../extractor/preprocess/images.ts';
import { because, whyNot } from '../../support/needs.ts';

const recipe = Recipe.parse({ width: 8, height: 4, scale: 1 / 255 });
const png = makePng({ width: 2, height: 2, colour: 'rgb', samples: [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 255, 128] });
/** A user that may read everything cannot be denied a file. */
const lack = whyNot('user without rights');

let folder: string;
let pool: DecodePool;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'layertap-decode-'));
  const limits = { maxBytes: 4096, maxPixels: 1000, maxSide: 500, timeoutMs: 30_000 };
  pool = await openDecodePool({ threads: 2, limits });
});

afterAll(async () => {
  await pool.close();
  await rm(folder, { recursive: true, force: true });
});

describe('openDecodePool', () => {
  it('gives the values of prepareImage, the digest of the file and the seconds of each stage', async () => {
    const uri = await writtenFile('good.png', png);
    const into = room();
    const { sha256, result, seconds } = await pool.prepare({ uri, inputs: [{ recipe, into }] });
    expect(result).toEqual({ ok: true, size: { width: 2, height: 2 } });
    expect(await prepareImage(png, recipe)).toMatchObject({ image: { values: Float32Array.from(into) } });
    expect(sha256).toBe(createHash('sha256').update(png).digest('hex'));
    expect(seconds.read).toBeGreaterThanOrEqual(0);
    expect(seconds.decode).toBeGreaterThan(0);
  });

  it('keeps each task with its own result, whichever thread is done first', async () => {
    const uris = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        writtenFile(`${i}.png`, makePng({ width: 1, height: 1, colour: 'gray', samples: [i] })),
      ),
    );
    const plain = Recipe.parse({ width: 1, height: 1, scale: 1, channels: 'gray' });
    const values = room(uris.length);
    const slotOf = (i: number): Float32Array<SharedArrayBuffer> => values.subarray(i, i + 1);
    await Promise.all(uris.map((uri, i) => pool.prepare({ uri, inputs: [{ recipe: plain, into: slotOf(i) }] })));
    expect(Array.from(values)).toEqual(uris.map((_, i) => i));
  });

  it('says not-found for a path without a file', async () => {
    expect(await outcome(join(folder, 'absent.png'))).toEqual(['not-found', null]);
    const inside = join(await writtenFile('plain.png', png), 'below-a-file.png');
    expect(await outcome(inside)).toEqual(['not-found', null]);
  });

  it('says unreadable for a directory, a device and a fifo that nobody writes to', async () => {
    await mkdir(join(folder, 'directory.png'));
    execFileSync('mkfifo', [join(folder, 'fifo.png')]);
    expect(await outcome(join(folder, 'directory.png'))).toEqual(['unreadable', null]);
    expect(await outcome('/dev/zero')).toEqual(['unreadable', null]);
    expect(await outcome(join(folder, 'fifo.png'))).toEqual(['unreadable', null]);
  });

  it.skipIf(lack)(`says unreadable for a file without permission${because(lack)}`, async () => {
    const uri = await writtenFile('secret.png', png);
    await chmod(uri, 0);
    expect(await outcome(uri)).toEqual(['unreadable', null]);
  });

  it('says unreadable for a path that no system call takes', async () => {
    expect(await outcome(join(folder, 'nul\0byte.png'))).toEqual(['unreadable', null]);
  });

  it('keeps the digest of a file that was read but is no image', async () => {
    const text = Buffer.from('not a picture');
    expect(await outcome(await writtenFile('text.png', text))).toEqual(['unsupported-format', sha256Of(text)]);
    const empty = new Uint8Array(0);
    expect(await outcome(await writtenFile('empty.png', empty))).toEqual(['empty-file', sha256Of(empty)]);
  });

  it('holds files against the limits that it was opened with', async () => {
    expect(await outcome(await writtenFile('long.png', new Uint8Array(5000)))).toEqual(['file-too-large', null]);
    const wide = makePng({ width: 2000, height: 1, colour: 'gray', samples: new Array<number>(2000).fill(1) });
    expect(await outcome(await writtenFile('wide.png', wide))).toEqual(['image-too-large', sha256Of(wide)]);
    const long = makePng({ width: 1, height: 600, colour: 'gray', samples: new Array<number>(600).fill(1) });
    expect(await outcome(await writtenFile('long-side.png', long))).toEqual(['image-too-large', sha256Of(long)]);
  });

  it('holds no more pixels in memory than may be decoded at once, those of images that are done included', async () => {
    const pixels = 5000 * 5000;
    const tight = await openDecodePool({ threads: 2, pixelsAtOnce: pixels });
    try {
      const flat = { create: { width: 5000, height: 5000, channels: 3, background: 'red' } } as const;
      const uri = await writtenFile('large.png', await sharp(flat).png().toBuffer());
      const before = process.memoryUsage().rss;
      let most = before;
      const looking = setInterval(() => {
        most = Math.max(most, process.memoryUsage().rss);
      }, 2);
      const decoded = await Promise.all(
        Array.from({ length: 8 }, () => tight.prepare({ uri, inputs: [{ recipe, into: room() }] })),
      );
      clearInterval(looking);
      expect(decoded.every(({ result }) => result.ok)).toBe(true);
      // Measured: 1.3 images; 3.3 without collecting the garbage, 6.6 without the bound.
      expect((most - before) / (3 * pixels)).toBeLessThan(2.5);
    } finally {
      await tight.close();
    }
  });

  it('gets through images that are each larger than what may be decoded at once, broken ones among them', async () => {
    const tight = await openDecodePool({ threads: 2, pixelsAtOnce: 3 });
    try {
      const whole = await writtenFile('whole.png', png);
      const broken = await writtenFile('broken.png', makePng({ width: 2, height: 9, colour: 'gray', samples: [1, 2] }));
      const uris = Array.from({ length: 20 }, (_, i) => (i % 4 === 0 ? broken : whole));
      const decoded = await Promise.all(uris.map(uri => tight.prepare({ uri, inputs: [{ recipe, into: room() }] })));
      expect(decoded.map(({ result }) => result.ok)).toEqual(uris.map(uri => uri === whole));
    } finally {
      await tight.close();
    }
  });
});

describe('compiledUrl', () => {
  it('finds the compiled file beside a compiled caller', () => {
    const url = compiledUrl('./decode-thread.ts', 'file:///app/dist/services/worker/src/decode-pool.js');
    expect(url.href).toBe('file:///app/dist/services/worker/src/decode-thread.js');
  });

  it('finds it in dist/ for a caller in the sources', () => {
    const source = new URL('../../../services/worker/src/decode-pool.ts', import.meta.url).href;
    const compiled = new URL('../../../dist/services/worker/src/decode-thread.js', import.meta.url).href;
    expect(compiledUrl('./decode-thread.ts', source).href).toBe(compiled);
  });
});

/** For the values of one image, or for so many. */
function room(length = 8 * 4 * 3): Float32Array<SharedArrayBuffer> {
  return new Float32Array(new SharedArrayBuffer(4 * length));
}

async function writtenFile(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

async function outcome(uri: string): Promise<readonly [string, string | null]> {
  const { sha256, result } = await pool.prepare({ uri, inputs: [{ recipe, into: room() }] });
  return [result.ok ? 'ok' : result.failure.code, sha256];
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
