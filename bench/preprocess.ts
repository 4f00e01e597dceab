// npm run bench:preprocess: what an image costs on one thread on its way to the input values, ours beside libvips at the same sizes.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { decoderVersions, readHeader } from '../extractor/src/preprocess/decode.ts';
import { decodeJpeg } from '../extractor/src/preprocess/jpeg-turbo.ts';
import type { Pixels } from '../extractor/src/preprocess/pixels.ts';
import { resizeToInput } from '../extractor/src/preprocess/resize.ts';
import { withScratch } from '../extractor/src/preprocess/scratch.ts';
import { toTensor, writeLevels } from '../extractor/src/preprocess/to-tensor.ts';
import { setupConfig } from '../setup/src/config.ts';
import { createLifecycle } from '../shared/src/lifecycle.ts';
import { Recipe } from '../shared/src/recipe.ts';
import { describeMachine, machineLines } from './machine.ts';
import { count } from './options.ts';
import { prepareImageSet } from './peers/image-sets.ts';
import { ratioSpread, spreadOf, spreadText } from './statistics.ts';

const HELP = `What an image costs on one thread on its way to the input values, ours beside libvips

Usage: npm run bench:preprocess -- [options]

  --rounds N   each step so many times over all images (7)
  --help       show this help
`;

const INPUT = { width: 224, height: 224 };
/** Few enough to be made within seconds, and different enough for the branches of a decoder. */
const SETS = [
  { name: 'photos', count: 64, label: '500 x 400' },
  { name: 'large', count: 8, label: '4000 x 3000' },
] as const;
/** Our kernel and libvips' of the same support. */
const KERNELS = [
  ['bilinear', 'linear'],
  ['bicubic', 'cubic'],
  ['lanczos', 'lanczos3'],
] as const;

/** Does its work on the image of that number. */
type Step = (image: number) => unknown;

interface Compared {
  readonly name: string;
  readonly ours: Step;
  /** The same with libvips. */
  readonly libvips?: Step;
}

const lifecycle = createLifecycle();
await lifecycle.run(async () => {
  const { values } = parseArgs({
    options: { rounds: { type: 'string' }, help: { type: 'boolean', default: false } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const rounds = count('rounds', values.rounds, 7, 1);
  const cache = join(setupConfig().installedRoot, 'peers');
  await mkdir(cache, { recursive: true });
  const machine = await describeMachine();
  const versions = Object.entries(decoderVersions())
    .map(entry => entry.join(' '))
    .join(', ');
  process.stdout.write(`${[...machineLines(machine, new Date().toISOString()), versions].join('\n')}\n\n`);
  process.stdout.write(
    '| ms of processor time an image, min / median / max | ours | libvips | ours ÷ libvips |\n|---|---:|---:|---:|\n',
  );
  for (const { name, count: images, label } of SETS) {
    const { folder } = await prepareImageSet(name, images, cache);
    for (const compared of await stepsOf(folder)) {
      process.stdout.write(await measure(`${label}, ${compared.name}`, compared, images, rounds));
    }
  }
});

async function stepsOf(folder: string): Promise<readonly Compared[]> {
  const names = (await readdir(folder, { recursive: true })).filter(name => name.endsWith('.jpg')).sort();
  const files = await Promise.all(names.map(name => readFile(join(folder, name))));
  const headers = await Promise.all(
    files.map(async file => {
      const header = await readHeader(file, 'jpeg');
      if (!header.ok) throw new Error('Expected a readable JPEG');
      return header.value;
    }),
  );
  const decode = (image: number): Pixels => {
    const pixels = decodeJpeg(at(files, image), at(headers, image), 1);
    if (pixels === undefined) throw new Error('Expected libjpeg-turbo, which could not be had');
    return pixels;
  };
  const images = files.map((_, image) => decode(image));
  const recipeOf = (resize: string): Recipe => Recipe.parse({ ...INPUT, resize, scale: 1 / 127.5, mean: [1] });
  const recipe = recipeOf('pillow:bilinear');
  const inputs = images.map(pixels => resizeToInput(pixels, recipe));
  const levels = new Uint8Array(INPUT.width * INPUT.height * 3);
  const tensor = new Float32Array(levels.length);
  return [
    {
      name: 'decode',
      ours: image => withScratch(() => void decode(image)),
      libvips: image => sharp(at(files, image)).raw().toBuffer(),
    },
    ...KERNELS.map(([ours, kernel]): Compared => {
      const wanted = recipeOf(`pillow:${ours}`);
      return {
        name: `resize, ${ours}`,
        ours: image => withScratch(() => void resizeToInput(at(images, image), wanted)),
        libvips: image => {
          const { data, width, height } = at(images, image);
          const raw = { width, height, channels: 3 } as const;
          return sharp(data, { raw })
            .resize({ ...INPUT, fit: 'fill', kernel })
            .raw()
            .toBuffer();
        },
      };
    }),
    {
      name: 'values',
      ours: image => {
        writeLevels(at(inputs, image), recipe, levels);
        toTensor({ data: levels, ...INPUT, channels: 3 }, recipe, tensor);
      },
    },
  ];
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`Expected an item ${index}`);
  return item;
}

/** One line of the table. The two sides take turns, since a machine changes its speed. */
async function measure(name: string, { ours, libvips }: Compared, count: number, rounds: number): Promise<string> {
  const [own, other]: [number[], number[]] = [[], []];
  // What runs for the first time is compiled meanwhile.
  await timeOf(ours, count);
  for (let round = 0; round < rounds; round++) {
    own.push(await timeOf(ours, count));
    if (libvips !== undefined) other.push(await timeOf(libvips, count));
  }
  return `| ${[name, spreadText(spreadOf(own), 3), spreadText(spreadOf(other), 3), spreadText(ratioSpread(own, other), 2)].join(' | ')} |\n`;
}

/** Milliseconds of processor time per image, of all threads. */
async function timeOf(step: Step, count: number): Promise<number> {
  const before = process.cpuUsage();
  for (let image = 0; image < count; image++) await step(image);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / count;
}
