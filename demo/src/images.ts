// Makes the demo images: ten classes of shapes in class folders, and a few broken files. For `npm start`, training and tests.
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import sharp from 'sharp';
import { hasErrorCode, Refusal } from '../../shared/src/errors.ts';
import { makeFolders } from '../../shared/src/make-folders.ts';
import { type Background, type Color, paintBackground, randomColor } from './backgrounds.ts';
import { BROKEN_IMAGES } from './broken-images.ts';
import { createRandom, type Random } from './random.ts';
import { drawShape, SHAPE_NAMES, type ShapeName } from './shapes.ts';

/** Seed of the images that `npm start` shows; training takes another, so the model has never seen them. */
export const DEMO_SEED = 1;

export interface DemoImageOptions {
  /** Whole images of each class. @default 50 */
  readonly perClass?: number;
  /** Other seeds give other images of the same classes. @default DEMO_SEED */
  readonly seed?: number;
  /** Also places the broken files among them. @default true */
  readonly broken?: boolean;
}

export interface DemoImages {
  /** Whole images in the directory. */
  readonly images: number;
  /** Broken files in the directory. */
  readonly broken: number;
}

interface DemoFile {
  /** Relative to the directory, with `/`. */
  readonly path: string;
  make(): Promise<Uint8Array>;
}

/** Raise it when the images of a seed change: directories made before are then made anew. */
const GENERATOR_VERSION = 1;
/** Says that a directory is ours, and of which version and options. */
const MARKER = '.demo-images.json';
const OUR_FILE = /^(?:[a-z]+-\d{3,}\.jpg|broken-[a-z]+\.(?:jpg|png)|\.making-.*)$/;

/**
 * Fills `directory` with demo images. Each file appears whole or not at all, so one that is there needs no second look:
 * a complete directory is left alone, an interrupted one is finished.
 */
export async function makeDemoImages(directory: string, options: DemoImageOptions = {}): Promise<DemoImages> {
  const { perClass = 50, seed = DEMO_SEED, broken = true } = options;
  const marker = JSON.stringify({ version: GENERATOR_VERSION, sharp: sharp.versions.sharp, perClass, seed, broken });
  await claimDirectory(directory, marker);
  const files = SHAPE_NAMES.flatMap(shape => shapeFiles(shape, perClass, seed)).concat(broken ? brokenFiles(seed) : []);
  const present = new Set(await listFiles(directory));
  await makeFiles(
    directory,
    files.filter(file => !present.has(file.path)),
  );
  return { images: SHAPE_NAMES.length * perClass, broken: broken ? BROKEN_IMAGES.length : 0 };
}

/** The bytes of one demo image: a JPEG of its own size, colours, place and background. */
export async function demoImage(shape: ShapeName, index: number, seed: number = DEMO_SEED): Promise<Uint8Array> {
  const random = createRandom(seed, SHAPE_NAMES.indexOf(shape), index);
  const background = paintBackground(random.integer(120, 400), random.integer(120, 400), random);
  const { width, height, pixels } = background;
  const side = Math.min(width, height) * random.between(0.45, 0.85);
  const drawing = drawShape(shape, {
    width,
    height,
    side,
    // A turned box reaches further out than its side: 0.56 keeps nearly all of every shape inside.
    x: random.between(0.56 * side, Math.max(0.56 * side, width - 0.56 * side)),
    y: random.between(0.56 * side, Math.max(0.56 * side, height - 0.56 * side)),
    degrees: random.between(-20, 20),
    color: contrastingColor(background, random),
  });
  return await sharp(pixels, { raw: { width, height, channels: 3 } })
    .composite([{ input: Buffer.from(drawing) }])
    .jpeg({ quality: 88 })
    .toBuffer();
}

function shapeFiles(shape: ShapeName, count: number, seed: number): readonly DemoFile[] {
  return Array.from({ length: count }, (_, index) => ({
    path: `${shape}/${shape}-${String(index).padStart(3, '0')}.jpg`,
    make: () => demoImage(shape, index, seed),
  }));
}

function brokenFiles(seed: number): readonly DemoFile[] {
  return BROKEN_IMAGES.map(({ shape, name, bytes }) => ({
    path: `${shape}/${name}`,
    make: async () => bytes(await demoImage(shape, 0, seed)),
  }));
}

/** Some colour that differs clearly from both of the background's; the best of many where none does. */
function contrastingColor(background: Background, random: Random): Color {
  const candidates = Array.from({ length: 16 }, () => randomColor(random));
  const contrasts = candidates.map(color => Math.min(...background.colors.map(other => colorDistance(color, other))));
  const clear = contrasts.findIndex(contrast => contrast > 110);
  const chosen = candidates[clear >= 0 ? clear : contrasts.indexOf(Math.max(...contrasts))];
  return chosen ?? [0, 0, 0];
}

function colorDistance(a: Color, b: Color): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/** Makes the directory ours: refuses one that holds something else, clears one of another version or of other options. */
async function claimDirectory(directory: string, marker: string): Promise<void> {
  await makeFolders(directory);
  const path = join(directory, MARKER);
  const found = await readFile(path, 'utf8').catch((error: unknown) => {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (found === marker) return;
  const files = await listFiles(directory);
  if (found === undefined && files.length > 0) {
    throw new Refusal(
      'output-unwritable',
      `Expected ${directory} to be empty or to hold demo images, but it holds ${files[0]}`,
      {
        hint: 'Name another directory for the demo images.',
      },
    );
  }
  const ours = files.filter(file => OUR_FILE.test(file.slice(file.lastIndexOf('/') + 1)));
  await Promise.all(ours.map(file => rm(join(directory, file))));
  await writeFile(path, marker);
}

async function listFiles(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter(entry => entry.isFile())
    .map(entry => relative(directory, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}

/** Twice the cores: while some images are compressed on sharp's threads, the next backgrounds are painted on ours. */
async function makeFiles(directory: string, files: readonly DemoFile[]): Promise<void> {
  const queue = files.values();
  const worker = async (): Promise<void> => {
    for (const file of queue) {
      const path = join(directory, file.path);
      const draft = join(dirname(path), `.making-${process.pid}-${file.path.replace('/', '-')}`);
      await makeFolders(dirname(path));
      await writeFile(draft, await file.make());
      await rename(draft, path);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() * 2 }, worker));
}
