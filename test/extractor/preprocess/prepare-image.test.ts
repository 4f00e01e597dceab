// From bytes to input values: what the recipe says, and that nothing a file may hold throws.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { jpegTurboVersion } from '../../../extractor/src/preprocess/jpeg-turbo.ts';
import { prepareImage, prepareInputs, prepareRaw } from '../../../extractor/src/preprocess/prepare-image.ts';
import {
  DEFAULT_IMAGE_LIMITS,
  type PixelBudget,
  type PreparedImage,
  type PrepareResult,
} from '../../../extractor/src/preprocess.ts';
import { SAMPLE_ERROR_CODES } from '../../../shared/src/errors.ts';
import { RESIZE_KERNELS, Recipe, type RecipeInput } from '../../../shared/src/recipe.ts';
import { haveImages, IMAGES, listImages, makePng, whyNoImages } from './images.ts';

const twoPixels = makePng({ width: 2, height: 1, colour: 'rgb', samples: [10, 20, 30, 40, 50, 60] });

describe('prepareImage by the recipe', () => {
  it('gives the pixels themselves where the recipe changes nothing', async () => {
    const image = preparedImage(await prepareImage(twoPixels, recipe({ width: 2, height: 1 })));
    expect(Array.from(image.values)).toEqual([10, 20, 30, 40, 50, 60]);
    expect(image).toMatchObject({ width: 2, height: 1 });
  });

  it('turns the channels before mean and std are applied, which are in channel order', async () => {
    const bgr = recipe({ width: 2, height: 1, channels: 'bgr', mean: [100, 200, 300], std: [1, 2, 4] });
    const { values } = preparedImage(await prepareImage(twoPixels, bgr));
    expect(Array.from(values)).toEqual([
      30 - 100,
      (20 - 200) / 2,
      (10 - 300) / 4,
      60 - 100,
      (50 - 200) / 2,
      (40 - 300) / 4,
    ]);
  });

  it("gives Pillow's luma for a gray recipe", async () => {
    const image = preparedImage(await prepareImage(twoPixels, recipe({ width: 2, height: 1, channels: 'gray' })));
    const luma = (r: number, g: number, b: number): number => (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
    expect(Array.from(image.values)).toEqual([luma(10, 20, 30), luma(40, 50, 60)]);
    // 51.5 and 52.5: Pillow 13 gives 52 and 53.
    const halves = makePng({ width: 2, height: 1, colour: 'rgb', samples: [0, 52, 184, 1, 53, 185] });
    const rounded = preparedImage(await prepareImage(halves, recipe({ width: 2, height: 1, channels: 'gray' })));
    expect(Array.from(rounded.values)).toEqual([52, 53]);
  });

  it('repeats the channel of a grey image for a colour model, each with its own mean', async () => {
    const png = makePng({ width: 2, height: 1, colour: 'gray', samples: [7, 9] });
    const { values } = preparedImage(await prepareImage(png, recipe({ width: 2, height: 1, mean: [1, 2, 3] })));
    expect(Array.from(values)).toEqual([6, 5, 4, 8, 7, 6]);
  });

  it('drops alpha without blending', async () => {
    const png = makePng({ width: 1, height: 1, colour: 'rgba', samples: [200, 100, 50, 0] });
    const { values } = preparedImage(await prepareImage(png, recipe({ width: 1, height: 1 })));
    expect(Array.from(values)).toEqual([200, 100, 50]);
  });

  it('takes the high byte of 16-bit colour, and cuts 16-bit grey off at 255, both as Pillow does', async () => {
    const colour = makePng({ width: 1, height: 1, colour: 'rgb', depth: 16, samples: [0x1234, 0x80ff, 0xffff] });
    const gray = makePng({ width: 2, height: 1, colour: 'gray', depth: 16, samples: [200, 0x1234] });
    const grayAlpha = makePng({ width: 1, height: 1, colour: 'grayAlpha', depth: 16, samples: [0x1234, 0xffff] });
    expect(Array.from(preparedImage(await prepareImage(colour, recipe({ width: 1, height: 1 }))).values)).toEqual([
      0x12, 0x80, 0xff,
    ]);
    const one = recipe({ width: 2, height: 1, channels: 'gray' });
    expect(Array.from(preparedImage(await prepareImage(gray, one)).values)).toEqual([200, 255]);
    expect(Array.from(preparedImage(await prepareImage(grayAlpha, { ...one, width: 1 })).values)).toEqual([0x12]);
  });

  it('has a buffer of its own, so that the values can be transferred', async () => {
    const { values } = preparedImage(await prepareImage(twoPixels, recipe({ width: 4, height: 4 })));
    expect(values.byteOffset).toBe(0);
    expect(values.buffer.byteLength).toBe(4 * 4 * 3 * 4);
  });
});

describe('prepareImage and the EXIF orientation', () => {
  const turned = makePng({ width: 2, height: 1, colour: 'gray', samples: [10, 20], orientation: 8 });

  it('leaves the pixels as they lie when the recipe ignores it', async () => {
    const image = preparedImage(await prepareImage(turned, recipe({ width: 2, height: 1, channels: 'gray' })));
    expect(image).toMatchObject({ width: 2, height: 1 });
    expect(Array.from(image.values)).toEqual([10, 20]);
  });

  it('turns them, and the size, when the recipe applies it', async () => {
    const applied = recipe({ width: 1, height: 2, channels: 'gray', exif: 'apply' });
    const image = preparedImage(await prepareImage(turned, applied));
    expect(image).toMatchObject({ width: 1, height: 2 });
    expect(Array.from(image.values)).toEqual([20, 10]);
  });

  for (const name of ['Landscape', 'Portrait']) {
    it.skipIf(!haveImages)(`makes one picture of all orientations of ${name}${whyNoImages}`, async () => {
      const applied = recipe({ width: 64, height: 64, exif: 'apply' });
      const images = await Promise.all(
        Array.from({ length: 9 }, async (_, orientation) => {
          const bytes = await readFile(join(IMAGES, 'oddities', `${name}_${orientation}.jpg`));
          return preparedImage(await prepareImage(bytes, applied));
        }),
      );
      const first = images[1] as PreparedImage;
      for (const image of images) {
        expect([image.width, image.height]).toEqual([first.width, first.height]);
        // Each was compressed by itself: levels of 255, on average.
        expect(meanDifference(image.values, first.values)).toBeLessThan(3);
      }
    });
  }
});

describe('prepareImage on bytes that are no image', () => {
  const any = recipe({ width: 8, height: 8 });

  it('says empty-file for no bytes', async () => {
    expect(await codeOf(prepareImage(new Uint8Array(0), any))).toBe('empty-file');
  });

  it('says file-too-large beyond the limit', async () => {
    expect(await codeOf(prepareImage(twoPixels, any, { limits: { ...DEFAULT_IMAGE_LIMITS, maxBytes: 20 } }))).toBe(
      'file-too-large',
    );
  });

  it('lets none but the listed raster formats in', async () => {
    const others = {
      svg: '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
      pdf: '%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj',
      bmp: `BM${'\0'.repeat(60)}`,
      ppm: 'P6 1 1 255 abc',
      heic: '\0\0\0\x18ftypheic\0\0\0\0mif1heic',
      text: 'hello',
      'short text': 'BM and so on',
      'one byte': '\xff',
    };
    for (const [name, text] of Object.entries(others)) {
      expect([name, await codeOf(prepareImage(Buffer.from(text, 'latin1'), any))]).toEqual([
        name,
        'unsupported-format',
      ]);
    }
  });

  it('says corrupt-image for the mere signature of every format', async () => {
    const signatures = [
      Buffer.from('ffd8ffe0', 'hex'),
      Buffer.from('89504e470d0a1a0a', 'hex'),
      Buffer.from('GIF89a'),
      Buffer.from('RIFF\x10\0\0\0WEBPVP8 '),
      Buffer.from('II*\0\x08\0\0\0'),
      Buffer.from('\0\0\0\x18ftypavif\0\0\0\0mif1avif', 'latin1'),
    ];
    for (const bytes of signatures) expect(await codeOf(prepareImage(bytes, any))).toBe('corrupt-image');
  });

  it('refuses a PNG whose rows end early, and one whose header fails its checksum', async () => {
    const short = makePng({ width: 4, height: 400, colour: 'gray', samples: [1, 2, 3, 4] });
    expect(await codeOf(prepareImage(short, any))).toBe('corrupt-image');
    const damaged = Uint8Array.from(twoPixels);
    damaged[29] = (damaged[29] as number) ^ 1;
    expect(await prepareImage(damaged, any)).toEqual({
      ok: false,
      failure: { code: 'corrupt-image', message: 'bad checksum of the PNG chunk IHDR' },
    });
  });

  it('gives one line as the reason, without a path', async () => {
    const result = await prepareImage(Buffer.from('ffd8ffe000104a46494600', 'hex'), any);
    expect(result.ok).toBe(false);
    if (!result.ok) expect(result.failure.message).toMatch(/^[^\n/]+$/);
  });
});

describe('prepareImage on images that claim to be huge', () => {
  const any = recipe({ width: 8, height: 8 });

  it('refuses 50000x50000 in a small PNG from the header alone', async () => {
    const bomb = makePng({ width: 50_000, height: 50_000, colour: 'gray', samples: [] });
    expect(await prepareImage(bomb, any)).toEqual({
      ok: false,
      failure: { code: 'image-too-large', message: '50000x50000 is more than 178956970 pixels' },
    });
  });

  it('refuses beyond the size at which Pillow sees a decompression bomb, and not below', async () => {
    const claim = (width: number, height: number): Promise<PrepareResult> =>
      prepareImage(makePng({ width, height, colour: 'gray', samples: [] }), any);
    expect(await codeOf(claim(17_895_697, 10))).toBe('image-too-large');
    expect(await codeOf(claim(17_000, 10_527))).toBe('image-too-large');
    // Its header passes: what it lacks is the pixels.
    expect(await codeOf(claim(17_000, 10_526))).toBe('corrupt-image');
  });

  it('refuses a side of more than 65535 pixels, however few they are together', async () => {
    for (const [width, height] of [
      [9_000_000, 1],
      [1, 65_536],
    ] as const) {
      const line = makePng({ width, height, colour: 'gray', samples: [] });
      expect(await prepareImage(line, any)).toEqual({
        ok: false,
        failure: { code: 'image-too-large', message: `${width}x${height} has a side of more than 65535 pixels` },
      });
    }
    const longest = makePng({ width: 65_535, height: 1, colour: 'gray', samples: new Array<number>(65_535).fill(7) });
    const image = preparedImage(await prepareImage(longest, recipe({ width: 8, height: 1, resize: 'lanczos' })));
    expect(new Set(image.values)).toEqual(new Set([7]));
  });

  it('refuses a GIF of 65535x65535', async () => {
    const screen = Buffer.from('474946383961ffffffff800000000000ffffff', 'hex');
    const frame = Buffer.from('2c00000000ffffffff000202440100 3b'.replace(' ', ''), 'hex');
    expect(['image-too-large', 'corrupt-image']).toContain(
      await codeOf(prepareImage(Buffer.concat([screen, frame]), any)),
    );
  });

  it('refuses a WebP of 16384x16384', async () => {
    // VP8L: signature 0x2f, then 14 bits of width − 1 and 14 of height − 1.
    const bomb = Buffer.from('524946461a000000574542505650384c0e0000002fffffff0f000000000000000000', 'hex');
    expect(['image-too-large', 'corrupt-image']).toContain(await codeOf(prepareImage(bomb, any)));
  });

  it('holds an image of few pixels against the limit that it was given', async () => {
    expect(await codeOf(prepareImage(twoPixels, any, { limits: { ...DEFAULT_IMAGE_LIMITS, maxPixels: 1 } }))).toBe(
      'image-too-large',
    );
  });
});

describe('prepareImage within a budget of pixels', () => {
  it('takes the pixels that the header claims before it decodes, and gives them back whatever comes of it', async () => {
    const events: string[] = [];
    const budget: PixelBudget = {
      take: async pixels => {
        events.push(`take ${pixels}`);
        return () => events.push('give back');
      },
    };
    const any = recipe({ width: 8, height: 8 });
    const short = makePng({ width: 4, height: 400, colour: 'gray', samples: [1, 2, 3, 4] });
    const bomb = makePng({ width: 50_000, height: 50_000, colour: 'gray', samples: [] });
    expect(await codeOf(prepareImage(twoPixels, any, { budget }))).toBe('ok');
    expect(await codeOf(prepareImage(short, any, { budget }))).toBe('corrupt-image');
    expect(await codeOf(prepareImage(bomb, any, { budget }))).toBe('image-too-large');
    expect(events).toEqual(['take 2', 'give back', 'take 1600', 'give back']);
  });

  it('leaves no garbage of plain JPEGs, of many at once either, and gives each what it gives alone', async () => {
    const jpegs = await Promise.all(
      Array.from({ length: 4 }, (_, i) => {
        // Larger than what the resize takes at a time.
        const [width, height] = [900 - 10 * i, 700 + 10 * i];
        const colours = Uint8Array.from({ length: width * height * 3 }, (_, at) => (at * (i + 3)) % 251);
        return sharp(colours, { raw: { width, height, channels: 3 } })
          .jpeg()
          .toBuffer();
      }),
    );
    const any = recipe({ width: 40, height: 30 });
    const garbage: boolean[] = [];
    const budget: PixelBudget = { take: async () => left => void garbage.push(left) };
    const alone: Float32Array[] = [];
    for (const jpeg of jpegs) alone.push(preparedImage(await prepareImage(jpeg, any)).values);
    const together = await Promise.all(jpegs.map(jpeg => prepareImage(jpeg, any, { budget })));
    expect(together.map(result => preparedImage(result).values)).toEqual(alone);
    expect(garbage).toEqual(jpegs.map(() => jpegTurboVersion() === undefined));
    await prepareImage(twoPixels, any, { budget });
    expect(garbage.at(-1)).toBe(true);
  });
});

describe('prepareRaw', () => {
  it('leaves the range of the recipe under no kernel, but for the overshoot of cubic and lanczos in float pixels', () => {
    const size = { width: 37, height: 29 };
    const data = Uint8Array.from({ length: 37 * 29 * 3 }, (_, i) => ((i * 7919) % 13 < 6 ? 0 : 255));
    for (const resize of RESIZE_KERNELS) {
      // Along each axis the weights' magnitudes add up to 1.4 at most, where some are negative.
      const most = /^tf:(bicubic|lanczos3)/.test(resize) ? 1.4 ** 2 : 1;
      for (const side of [11, 90]) {
        const given = recipe({ width: side, height: side, scale: 1 / 127.5, mean: 1, resize });
        const { values } = preparedImage(prepareRaw({ data, ...size, channels: 3 }, given));
        const reach = values.reduce((far, value) => Math.max(far, Math.abs(value)), 0);
        expect({ resize, side, isWithin: reach <= most + 1e-4 }).toEqual({ resize, side, isWithin: true });
      }
    }
  });

  it('gives what prepareImage gives for the same pixels', async () => {
    const given = recipe({ width: 5, height: 3, channels: 'bgr', scale: 1 / 127.5, mean: 1, resize: 'bicubic' });
    const pixels = { data: Uint8Array.of(10, 20, 30, 40, 50, 60), width: 2, height: 1, channels: 3 } as const;
    expect(prepareRaw(pixels, given)).toEqual(await prepareImage(twoPixels, given));
  });

  it('blends a fourth channel over the colour that the recipe names', () => {
    const pixels = { data: Uint8Array.of(10, 20, 30, 0), width: 1, height: 1, channels: 4 } as const;
    const over = (alpha: 'white' | 'black'): number[] =>
      Array.from(preparedImage(prepareRaw(pixels, recipe({ width: 1, height: 1, alpha }))).values);
    expect(over('white')).toEqual([255, 255, 255]);
    expect(over('black')).toEqual([0, 0, 0]);
  });

  it('drops a fourth channel', () => {
    const pixels = { data: Uint8Array.of(1, 2, 3, 99), width: 1, height: 1, channels: 4 } as const;
    expect(Array.from(preparedImage(prepareRaw(pixels, recipe({ width: 1, height: 1 }))).values)).toEqual([1, 2, 3]);
  });

  it('fails where the bytes are not the pixels that were announced', () => {
    const pixels = { data: new Uint8Array(5), width: 2, height: 1, channels: 3 } as const;
    expect(prepareRaw(pixels, recipe({ width: 1, height: 1 }))).toMatchObject({ failure: { code: 'corrupt-image' } });
  });
});

describe.skipIf(!haveImages)(`prepareImage on other people's images${whyNoImages}`, () => {
  it('ends every one, whole or broken, as values of the right length or as a listed code', async () => {
    const any = recipe({ width: 16, height: 16 });
    for (const folder of ['oddities', 'pngsuite', 'broken', 'clothing/hat']) {
      for (const path of await listImages(folder)) {
        const result = await prepareImage(await readFile(join(IMAGES, path)), any);
        if (result.ok) expect(result.image.values.length).toBe(16 * 16 * 3);
        else expect(SAMPLE_ERROR_CODES).toContain(result.failure.code);
      }
    }
  });

  it('refuses a photo that was cut off anywhere', async () => {
    const [path = ''] = await listImages('clothing/hat');
    const bytes = await readFile(join(IMAGES, path));
    for (const share of [0.1, 0.5, 0.9, 0.99]) {
      const cut = bytes.subarray(0, Math.floor(bytes.length * share));
      expect(await codeOf(prepareImage(cut, recipe({ width: 8, height: 8 })))).toBe('corrupt-image');
    }
  });
});

function recipe(input: Omit<RecipeInput, 'scale'> & { scale?: number }): Recipe {
  return Recipe.parse({ scale: 1, ...input });
}

function preparedImage(result: PrepareResult): PreparedImage {
  if (!result.ok) throw new Error(`${result.failure.code}: ${result.failure.message}`);
  return result.image;
}

async function codeOf(prepared: Promise<PrepareResult>): Promise<string> {
  const result = await prepared;
  return result.ok ? 'ok' : result.failure.code;
}

function meanDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? Number.NaN)), 0) / a.length;
}

describe('prepareInputs', () => {
  const recipes = {
    rgb: recipe({ width: 4, height: 3 }),
    bgr: recipe({ width: 5, height: 5, channels: 'bgr', resize: 'pillow:bicubic', crop: { kind: 'aspect' } }),
    gray: recipe({ width: 4, height: 3, channels: 'gray', mean: [9] }),
    white: recipe({ width: 4, height: 3, alpha: 'white' }),
    small: recipe({ width: 2, height: 2, quality: 'fast' }),
    smaller: recipe({ width: 1, height: 1, quality: 'fast' }),
  };
  const png = makePng({ width: 9, height: 7, colour: 'rgba', samples: Array.from({ length: 252 }, (_, i) => i) });

  it.each<[readonly (keyof typeof recipes)[], number]>([
    [['rgb'], 1],
    [['rgb', 'bgr', 'gray'], 1],
    [['rgb', 'white', 'bgr'], 2],
    [['small', 'smaller', 'small'], 2],
  ])('gives each of %s what it gets alone, decoding %d times', async (names, decodings) => {
    let taken = 0;
    const budget: PixelBudget = {
      async take() {
        taken++;
        return () => undefined;
      },
    };
    const alone = await Promise.all(names.map(async name => preparedImage(await prepareImage(png, recipes[name]))));
    const wanted = names.map((name, at) => ({
      recipe: recipes[name],
      into: new Float32Array(alone[at]?.values.length ?? 0).fill(Number.NaN),
    }));
    expect(await prepareInputs(png, wanted, { budget })).toEqual({ ok: true, size: { width: 9, height: 7 } });
    expect(wanted.map(({ into }) => into)).toEqual(alone.map(({ values }) => values));
    expect(taken).toBe(decodings);
  });
});
