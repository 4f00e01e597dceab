// Our reader of BMP files: pixels worked out by hand, and the real Pillow over every variant and over damaged files.
import { createHash } from 'node:crypto';
import { describe, expect, inject, it } from 'vitest';
import { prepareImage } from '../../../extractor/src/preprocess/prepare-image.ts';
import { Recipe } from '../../../shared/src/recipe.ts';
import { runPython } from '../../support/python.ts';
import { type BmpOptions, colours, makeBmp, noise, rowBytes } from './bmp-files.ts';

const python = inject('python');
const why = python.ready ? '' : ` (skipped: ${python.reason})`;

describe('a BMP', () => {
  it('is read from the bottom up, blue first, rows padded to four bytes', async () => {
    const data = Uint8Array.of(3, 2, 1, 6, 5, 4, 0, 0, 9, 8, 7, 12, 11, 10, 0, 0);
    const bmp = makeBmp({ width: 2, height: 2, bits: 24, data });
    expect(await pixelsOf(bmp, 2, 2)).toEqual([7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6]);
    expect(await pixelsOf(makeBmp({ width: 2, height: -2, bits: 24, data }), 2, 2)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
    ]);
  });

  it('has its 16-bit pixels spread over all levels', async () => {
    const bmp = makeBmp({ width: 2, height: 1, bits: 16, data: Uint8Array.of(0xff, 0x7f, 0x21, 0x04) });
    expect(await pixelsOf(bmp, 2, 1)).toEqual([255, 255, 255, 8, 8, 8]);
  });

  it('has an alpha only where its bit fields name one', async () => {
    const data = Uint8Array.of(0, 0, 200, 0);
    const plain = makeBmp({ width: 1, height: 1, bits: 32, data });
    const masks = [0xff0000, 0xff00, 0xff, 0xff000000];
    const masked = makeBmp({ width: 1, height: 1, bits: 32, headerSize: 108, compression: 3, masks, data });
    expect(await pixelsOf(plain, 1, 1, 'white')).toEqual([200, 0, 0]);
    expect(await pixelsOf(masked, 1, 1, 'drop')).toEqual([200, 0, 0]);
    expect(await pixelsOf(masked, 1, 1, 'white')).toEqual([255, 255, 255]);
  });

  it('unpacks runs, literal pixels, a delta and line ends of RLE8', async () => {
    // Two of colour 1; end of line; delta of one to the right; literals 2 1 2 and their padding.
    const data = Uint8Array.of(2, 1, 0, 0, 0, 2, 1, 0, 0, 3, 2, 1, 2, 0, 0, 1);
    const palette = [
      [0, 0, 0],
      [10, 20, 30],
      [40, 50, 60],
    ] as const;
    const bmp = makeBmp({ width: 4, height: -2, bits: 8, compression: 1, palette, data });
    const [none, one, two] = palette;
    expect(await pixelsOf(bmp, 4, 2)).toEqual([one, one, none, none, none, two, one, two].flat());
  });

  it('is corrupt where it ends early, and unsupported where nobody reads it', async () => {
    const bmp = makeBmp({ width: 20, height: 20, bits: 24, data: noise(rowBytes(20, 24) * 20, 1) });
    for (const length of [20, 40, 60, 500, bmp.length - 1]) {
      expect([length, await codeOf(bmp.subarray(0, length))]).toEqual([length, 'corrupt-image']);
    }
    expect(await codeOf(makeBmp({ width: 1, height: 1, bits: 24, compression: 4, data: noise(8, 1) }))).toBe(
      'unsupported-format',
    );
    expect(await codeOf(makeBmp({ width: 1, height: 1, bits: 2, data: noise(8, 1) }))).toBe('unsupported-format');
    expect(await codeOf(makeBmp({ width: 0, height: 1, bits: 24, data: noise(8, 1) }))).toBe('corrupt-image');
    expect(await codeOf(makeBmp({ width: 50_000, height: 50_000, bits: 1, data: noise(8, 1) }))).toBe(
      'image-too-large',
    );
  });

  it('never throws for a flipped byte', async () => {
    const data = noise(600, 3);
    const bmp = makeBmp({ width: 16, height: 9, bits: 8, compression: 1, palette: colours(256), data });
    for (let at = 0; at < 54; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const damaged = Uint8Array.from(bmp);
        damaged[at] = value;
        expect(typeof (await codeOf(damaged))).toBe('string');
      }
    }
  });
});

/** sha256 of Pillow's pixels for each file, null where it raises. */
const PILLOW = `
import base64, hashlib, io
from PIL import Image

def digest(data):
    try:
        image = Image.open(io.BytesIO(base64.b64decode(data)))
        return [image.width, image.height, hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()]
    except Exception:
        return None

print(json.dumps([digest(data) for data in given]))
`;

describe.skipIf(!python.ready)(`BMP files against Pillow${why}`, () => {
  it('gives the same pixels for every header, depth, palette and bit field', async () => {
    await expectSameAsPillow(plainFiles().map(makeBmp));
  });

  it('gives the same pixels for run lengths, or refuses the same', async () => {
    await expectSameAsPillow(runLengthFiles().map(makeBmp));
  });
});

function plainFiles(): readonly BmpOptions[] {
  const files: BmpOptions[] = [];
  for (const [width, height] of [
    [13, 7],
    [8, -5],
    [1, 1],
  ] as const) {
    for (const bits of [1, 4, 8, 16, 24, 32]) {
      const data = noise(rowBytes(width, bits) * Math.abs(height), width * bits);
      for (const headerSize of [12, 40, 52, 56, 64, 108, 124]) {
        if (headerSize === 12 && height < 0) continue;
        const palette = bits <= 8 ? colours(2 ** bits) : [];
        files.push({ width, height, bits, headerSize, palette, data });
        // Fewer colours than the bits can name, which OS/2's first header cannot say.
        if (bits === 8 && headerSize > 12) files.push({ width, height, bits, headerSize, palette: colours(100), data });
      }
      const masks = MASKS.filter(each => each.bits === bits);
      for (const each of masks) {
        for (const headerSize of [40, 56, 108, 124]) {
          files.push({ width, height, bits, headerSize, compression: 3, masks: each.masks, data });
        }
      }
    }
    const ramp = Array.from({ length: 256 }, (_, i) => [i, i, i] as const);
    files.push({ width, height, bits: 8, palette: ramp, data: noise(rowBytes(width, 8) * 7, 5) });
    files.push({ width, height, bits: 8, palette: colours(256), offset: 54, data: noise(rowBytes(width, 8) * 7, 6) });
    files.push({ width, height, bits: 8, palette: colours(256), offset: 0, data: noise(rowBytes(width, 8) * 7, 7) });
  }
  return files;
}

const MASKS = [
  { bits: 16, masks: [0xf800, 0x7e0, 0x1f, 0] },
  { bits: 16, masks: [0x7c00, 0x3e0, 0x1f, 0] },
  { bits: 16, masks: [0xf00, 0xf0, 0xf, 0] },
  { bits: 24, masks: [0xff0000, 0xff00, 0xff, 0] },
  { bits: 32, masks: [0xff0000, 0xff00, 0xff, 0] },
  { bits: 32, masks: [0xff000000, 0xff0000, 0xff00, 0] },
  { bits: 32, masks: [0xff000000, 0xff0000, 0xff00, 0xff] },
  { bits: 32, masks: [0xff, 0xff00, 0xff0000, 0xff000000] },
  { bits: 32, masks: [0xff0000, 0xff00, 0xff, 0xff000000] },
  { bits: 32, masks: [0xff000000, 0xff00, 0xff, 0xff0000] },
  { bits: 32, masks: [0, 0, 0, 0] },
] as const;

/** Random codes: some end early or overrun, some do not. */
function runLengthFiles(): readonly BmpOptions[] {
  return Array.from({ length: 120 }, (_, seed) => {
    const [compression, bits] = seed % 2 === 0 ? [1, 8] : [2, 4];
    const random = noise(900, seed);
    // Mostly runs, as random bytes would hardly ever reach the end of the bitmap.
    const data = random.map((byte, i) => (i % 2 === 0 && byte > 200 ? 0 : i % 2 === 0 ? byte % 12 : byte));
    const height = seed % 3 === 0 ? -6 : 6;
    return { width: 9 + (seed % 4), height, bits, compression, palette: colours(2 ** bits), data };
  });
}

async function expectSameAsPillow(files: readonly Buffer[]): Promise<void> {
  type Digest = readonly [number, number, string] | null;
  const theirs = await runPython<readonly Digest[]>(
    PILLOW,
    files.map(file => file.toString('base64')),
  );
  let read = 0;
  for (const [i, file] of files.entries()) {
    const expected = theirs[i] ?? null;
    const [width, height] = expected ?? [8, 8];
    const result = await prepareImage(file, Recipe.parse({ width, height, scale: 1 }));
    const digest = result.ok ? createHash('sha256').update(Uint8Array.from(result.image.values)).digest('hex') : null;
    expect([i, file.subarray(0, 54).toString('hex'), digest]).toEqual([
      i,
      file.subarray(0, 54).toString('hex'),
      expected?.[2] ?? null,
    ]);
    if (digest !== null) read += 1;
  }
  expect(read).toBeGreaterThan(files.length / 4);
}

async function pixelsOf(
  bytes: Uint8Array,
  width: number,
  height: number,
  alpha: Recipe['alpha'] = 'drop',
): Promise<readonly number[]> {
  const result = await prepareImage(bytes, Recipe.parse({ width, height, alpha, scale: 1 }));
  if (!result.ok) throw new Error(result.failure.message);
  return Array.from(result.image.values);
}

async function codeOf(bytes: Uint8Array): Promise<string> {
  const result = await prepareImage(bytes, Recipe.parse({ width: 8, height: 8, scale: 1 }));
  return result.ok ? 'ok' : result.failure.code;
}
