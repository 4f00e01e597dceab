// Where a recipe comes from, which origin wins, and what is refused instead of guessed.
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ChosenRecipe, chooseRecipe, completeRecipe } from '../../extractor/src/choose-recipe.ts';
import { type ModelFile, openModel } from '../../extractor/src/model.ts';
import { parseOptions } from '../../shared/src/options.ts';
import { recipeOptions } from '../../shared/src/recipe-options.ts';
import { DEMO_MODEL } from '../support/demo-set.ts';
import { refusalOf } from '../support/refusal.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type ChainOptions, chainTable, modelOf } from './layer-tables.ts';
import { MOBILENET, missing, whyNoShared } from './shared-material.ts';

async function choose(model: ModelFile, ...flags: readonly string[]): Promise<ChosenRecipe> {
  const { values } = parseOptions(recipeOptions, { argv: flags, env: {}, command: 'layertap extract' });
  return chooseRecipe(values, model);
}

/** The demo model, whose input is [64, 64, 3], with no recipe beside it. */
async function bareModel(): Promise<ModelFile> {
  const folder = await temporaryFolder();
  await cp(dirname(DEMO_MODEL), folder, { recursive: true });
  await rm(join(folder, 'model.recipe.json'));
  return openModel(join(folder, 'model.json'));
}

/** A model of those layers in a folder with those JSON files. */
async function modelIn(options: ChainOptions, files: Readonly<Record<string, unknown>> = {}): Promise<ModelFile> {
  const folder = await temporaryFolder();
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), JSON.stringify(content));
  return modelOf(chainTable(options), folder);
}

const SIDECAR = { 'model.recipe.json': { width: 224, height: 224, scale: 1 / 255 } };
const CLIP_PROCESSOR = {
  'preprocessor_config.json': {
    image_processor_type: 'CLIPImageProcessor',
    size: { shortest_edge: 224 },
    crop_size: { height: 224, width: 224 },
    do_center_crop: true,
    resample: 3,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.25, 0.25, 0.25],
  },
};
/** What tells a ResNet50 of keras.applications, with as many outputs as ImageNet has classes. */
const RESNET50 = { layers: ['conv1_bn', 'conv2_block1_0_bn', 'conv4_block6_out', 'predictions:Dense'], output: [1000] };
const PREPARES = [{ layer: 'rescaling', does: 'x * 0.003922' }];
const RESCALING = { layers: ['rescaling:Rescaling', 'conv1'], preprocessing: PREPARES };

describe('the recipe comes from', () => {
  it('flags, with the size that the model fixes', async () => {
    const { recipe, origin, notes } = await choose(await bareModel(), '--scale', '0.5');
    expect(origin).toBe('flags');
    expect(recipe).toMatchObject({ width: 64, height: 64, scale: 0.5, channels: 'rgb' });
    expect(notes).toEqual(['recipe from the flag --scale: 64x64 pillow:bilinear, rgb, x/2']);
  });

  it('a preset', async () => {
    const { recipe, origin, notes } = await choose(await openModel(DEMO_MODEL), '--recipe', 'keras:mobilenet_v2');
    expect(origin).toBe('preset');
    expect(recipe).toMatchObject({ width: 64, height: 64, scale: 1 / 127.5, mean: [1], resize: 'pillow:bilinear' });
    expect(notes).toEqual(['recipe from the preset keras:mobilenetv2: 64x64 pillow:bilinear, rgb, x/127.5 - 1']);
  });

  it('a recipe file', async () => {
    const file = join(await temporaryFolder(), 'own.json');
    await writeFile(file, JSON.stringify({ width: 64, height: 64, scale: 1 }));
    const { recipe, origin, notes } = await choose(await openModel(DEMO_MODEL), '--recipe', file);
    expect(origin).toBe('file');
    expect(recipe).toMatchObject({ scale: 1, mean: [0], std: [1], resize: 'pillow:bilinear' });
    expect(notes).toEqual([`recipe from the file ${file}: 64x64 pillow:bilinear, rgb, x`]);
  });

  it('the sidecar of the model', async () => {
    const { recipe, origin, notes } = await choose(await openModel(DEMO_MODEL));
    expect(origin).toBe('sidecar');
    expect(recipe).toMatchObject({ width: 64, height: 64, channels: 'rgb', scale: 0.00784313725490196, mean: [1] });
    expect(notes).toEqual(['recipe from the sidecar model.recipe.json: 64x64 pillow:bilinear, rgb, x/127.5 - 1']);
  });

  it("the model's own files", async () => {
    const { recipe, origin, notes } = await choose(await modelIn({ layers: ['conv'] }, CLIP_PROCESSOR));
    expect(origin).toBe('model-files');
    expect(recipe.crop).toEqual({ kind: 'center', shorterSide: 224, rounding: 'floor' });
    expect(notes).toEqual([
      "recipe from the model's own preprocessor_config.json (Hugging Face transformers): shorter side 224 pillow:bicubic, middle 224x224, rgb, (x/255 - 0.5) / 0.25",
    ]);
  });

  it('the preprocessing in its graph', async () => {
    const { recipe, origin, notes } = await choose(await modelIn(RESCALING));
    expect(origin).toBe('graph');
    expect(recipe).toMatchObject({ width: 224, height: 224, scale: 1, mean: [0], std: [1] });
    expect(notes).toEqual([
      "recipe from the model itself, whose layer 'rescaling' prepares 0-255 pixels (x * 0.003922): 224x224 pillow:bilinear, rgb, x",
    ]);
  });

  it("the architecture, for one of Keras' with the head of ImageNet", async () => {
    const { recipe, origin, notes } = await choose(await modelIn(RESNET50));
    expect(origin).toBe('architecture');
    expect(recipe).toMatchObject({ channels: 'bgr', scale: 1, mean: [103.939, 116.779, 123.68] });
    expect(notes[0]).toMatch(
      /^recipe from the architecture, resnet50 of keras\.applications with ImageNet's 1000 classes \(as --recipe keras:resnet50\): 224x224/,
    );
  });
});

it('a Keras MobileNet with the head of ImageNet keeps the size that it was built for', async () => {
  const layers = ['conv1', 'conv_dw_13', 'conv_pw_13', 'predictions'];
  const { recipe, origin } = await choose(await modelIn({ layers, input: [128, 128, 3], output: [1000] }));
  expect(origin).toBe('architecture');
  expect(recipe).toMatchObject({ width: 128, height: 128, channels: 'rgb', scale: 1 / 127.5, mean: [1] });
});

describe('the order of the origins', () => {
  const everything = { ...RESNET50, preprocessing: PREPARES };

  it('is flags, --recipe, sidecar, own files, graph, architecture', async () => {
    const own = join(await temporaryFolder(), 'own.json');
    await writeFile(own, JSON.stringify({ width: 224, height: 224, scale: 2 }));
    const all = await modelIn(RESNET50, { ...CLIP_PROCESSOR, ...SIDECAR });
    expect((await choose(all, '--scale', '3', '--recipe', own)).origin).toBe('flags');
    expect((await choose(all, '--recipe', own)).origin).toBe('file');
    expect((await choose(all, '--recipe', 'clip')).origin).toBe('preset');
    expect((await choose(all)).origin).toBe('sidecar');
    expect((await choose(await modelIn(RESNET50, CLIP_PROCESSOR))).origin).toBe('model-files');
    expect((await choose(await modelIn(everything))).origin).toBe('graph');
    expect((await choose(await modelIn(RESNET50))).origin).toBe('architecture');
  });

  it('lets flags win field by field over whatever comes next', async () => {
    const flags = ['--channels', 'bgr', '--mean', '0.1,0.2,0.3', '--std', '2', '--exif', 'apply', '--resize', 'box'];
    const { recipe, origin, notes } = await choose(await openModel(DEMO_MODEL), ...flags, '--alpha', 'white');
    expect(origin).toBe('flags');
    expect(recipe).toMatchObject({
      ...{ width: 64, scale: 0.00784313725490196 },
      ...{ channels: 'bgr', mean: [0.1, 0.2, 0.3], std: [2], exif: 'apply', resize: 'pillow:box', alpha: 'white' },
    });
    expect(notes[0]).toMatch(
      /^recipe from the flags --resize, --channels, --mean, --std, --exif, --alpha over the sidecar model\.recipe\.json: /,
    );
  });

  it('lets flags win over a preset, size and crop too', async () => {
    const model = await modelIn({ layers: ['conv'], input: [null, null, 3] });
    const flags = ['--recipe', 'torchvision', '--size', '299x299', '--crop', 'center:342'];
    expect((await choose(model, ...flags)).recipe).toMatchObject({
      ...{ width: 299, height: 299, crop: { kind: 'center', shorterSide: 342, rounding: 'half-even' } },
      ...{ scale: 1 / 255, mean: [0.485, 0.456, 0.406] },
    });
  });

  it('keeps what the architecture proposes whole: a flag for values stands alone, one for the picture does not', async () => {
    const model = await modelIn(RESNET50);
    const own = await choose(model, '--scale', '1/255');
    expect(own.origin).toBe('flags');
    expect(own.recipe).toMatchObject({ channels: 'rgb', scale: 1 / 255, mean: [0] });
    expect((await choose(model, '--resize', 'tf:bilinear')).recipe).toMatchObject({
      ...{ resize: 'tf:bilinear', channels: 'bgr', mean: [103.939, 116.779, 123.68] },
    });
    for (const flags of [
      ['--mean', '0.5'],
      ['--std', '2'],
      ['--channels', 'rgb'],
    ]) {
      const { message } = await refusalOf(() => choose(model, ...flags), 'recipe-missing');
      expect(message).toContain('Expected --scale among the recipe flags');
    }
  });
});

describe('the size', () => {
  it('of a keras preset is only what is usual: a model that fixes another keeps its own', async () => {
    const flags = ['--recipe', 'keras:inceptionv3'];
    const open = await modelIn({ layers: ['conv'], input: [null, null, 3] });
    expect((await choose(open, ...flags)).recipe).toMatchObject({ width: 299, height: 299 });
    const fixed = await modelIn({ layers: ['conv'], input: [96, 128, 3] });
    expect((await choose(fixed, ...flags)).recipe).toMatchObject({ width: 128, height: 96 });
  });

  it('of torchvision and clip belongs to their crop: a model of another one is refused', async () => {
    const model = await modelIn({ layers: ['conv'], input: [96, 96, 3] });
    const { message, hint } = await refusalOf(() => choose(model, '--recipe', 'clip'), 'recipe-mismatch');
    expect(message).toBe(
      'Expected a recipe for input [96, 96, 3] (height, width, channels) but received [224, 224, 3] from the preset clip',
    );
    expect(hint).toContain('--size (and --crop)');
  });

  it('makes the shorter side of --crop center, where no number is given', async () => {
    const model = await modelIn({ layers: ['conv'], input: [96, 128, 3] });
    expect((await choose(model, '--scale', '1', '--crop', 'center')).recipe.crop).toEqual({
      ...{ kind: 'center', shorterSide: 128, rounding: 'half-even' },
    });
  });

  it('is never larger than what a crop leaves', async () => {
    const model = await modelIn({ layers: ['conv'] });
    const flags = ['--scale', '1', '--crop', 'center:223'];
    const { message, hint } = await refusalOf(() => choose(model, ...flags), 'bad-option');
    expect(message).toBe('Expected a crop that leaves 224x224 pixels of every image but its shorter side becomes 223');
    expect(hint).toBe('Give --crop center:N with N of at least 224.');
  });
});

describe('a graph that prepares its own input', () => {
  it('is not prepared for twice: by flags, a preset, the sidecar or own files', async () => {
    const twice = (origin: string): string =>
      `Expected the values as the model's layer 'rescaling' wants them, which prepares them itself (x * 0.003922), but received ${origin}: they would be prepared twice`;
    const flagged = await modelIn(RESCALING);
    const byFlag = await refusalOf(() => choose(flagged, '--scale', '1/255'), 'bad-option');
    expect(byFlag.message).toBe(
      twice(
        "x/255 from the flag --scale over the model itself, whose layer 'rescaling' prepares 0-255 pixels (x * 0.003922)",
      ),
    );
    expect(byFlag.hint).toBe(
      'Give --scale 1. If twice is meant, a recipe file with "overGraphPreprocessing": true does it.',
    );
    const preset = await refusalOf(() => choose(flagged, '--recipe', 'keras:mobilenet'), 'recipe-mismatch');
    expect(preset.message).toBe(twice('x/127.5 - 1 from the preset keras:mobilenet'));
    expect(preset.hint).toMatch(/^Give --scale 1 --mean 0 --std 1\./);
    const sidecar = await modelIn(RESCALING, SIDECAR);
    expect((await refusalOf(() => choose(sidecar), 'recipe-mismatch')).message).toBe(
      twice('x/255 from the sidecar model.recipe.json'),
    );
    const ownFiles = await modelIn(RESCALING, CLIP_PROCESSOR);
    expect((await refusalOf(() => choose(ownFiles), 'recipe-mismatch')).message).toContain('preprocessor_config.json');
  });

  it('is not shifted or divided for twice, by a mean or a deviation alone', async () => {
    const model = await modelIn(RESCALING);
    for (const flags of [
      ['--mean', '127.5'],
      ['--std', '127.5'],
    ]) {
      const { hint } = await refusalOf(() => choose(model, ...flags), 'bad-option');
      expect(hint).toMatch(/^Give --scale 1 --mean 0 --std 1\./);
    }
  });

  it.each(['x - [0.485, 0.456, 0.406]', 'x + -0.5'])(
    'by %s may be fed scaled values, but none with their mean taken off',
    async does => {
      const model = await modelIn({ layers: ['centre', 'conv'], preprocessing: [{ layer: 'centre', does }] });
      expect((await choose(model, '--scale', '1/255')).recipe.scale).toBe(1 / 255);
      const twice = await refusalOf(() => choose(model, '--scale', '1/255', '--mean', '0.5'), 'bad-option');
      expect(twice.hint).toMatch(/^Give --mean 0 --std 1\./);
    },
  );

  it('is obeyed by what the hint says', async () => {
    const flags = ['--scale', '1', '--mean', '0', '--std', '1'];
    const sidecar = await modelIn(RESCALING, SIDECAR);
    expect((await choose(sidecar, ...flags)).recipe).toMatchObject({ scale: 1, mean: [0], std: [1] });
  });

  it('takes the preset of its architecture, which scales nothing', async () => {
    const { recipe } = await choose(await modelIn(RESCALING), '--recipe', 'keras:efficientnetb0');
    expect(recipe).toMatchObject({ scale: 1, mean: [0], std: [1] });
  });

  it('is prepared for twice where a recipe file insists', async () => {
    const insisting = {
      'model.recipe.json': { width: 224, height: 224, scale: 1 / 255, overGraphPreprocessing: true },
    };
    const { recipe, origin } = await choose(await modelIn(RESCALING, insisting));
    expect(origin).toBe('sidecar');
    expect(recipe.scale).toBe(1 / 255);
    expect(recipe).not.toHaveProperty('overGraphPreprocessing');
  });

  it('and does not tell its range is asked about, then believed, but never normalised twice', async () => {
    const preprocessing = [{ layer: 'normalization', does: '(x - mean) / std' }];
    const model = await modelIn({ layers: ['normalization:Normalization', 'conv1'], preprocessing });
    const { message, hint } = await refusalOf(() => choose(model), 'recipe-missing');
    expect(message).toMatch(
      /Its layer 'normalization' prepares its input \(\(x - mean\) \/ std\) but doesn't tell whether it takes 0-255 or 0-1$/,
    );
    expect(hint).toMatch(/^--scale 1 feeds it 0-255, --scale 1\/255 0-1\. /);
    const { recipe, notes } = await choose(model, '--scale', '1/255');
    expect(recipe.scale).toBe(1 / 255);
    expect(notes[1]).toBe(
      "the model's layer 'normalization' goes on to prepare these values itself ((x - mean) / std)",
    );
    const twice = await refusalOf(() => choose(model, '--scale', '1/255', '--mean', '0.5'), 'bad-option');
    expect(twice.hint).toMatch(/^Give --mean 0 --std 1\./);
  });

  it.each([
    ['x * 0.003922', 'graph'],
    ['x * 0.007843 + -1', 'graph'],
    ['x / 255', 'graph'],
    ['x - [123.675, 116.28, 103.53]', 'graph'],
    ['x + [-103.9, -116.8, -123.7]', 'graph'],
    ['(x - [123.7, 116.3, 103.5]) / std', 'graph'],
    ['(x - [0.485, 0.456, 0.406]) / std', 'recipe-missing'],
    ['(x - mean) / std', 'recipe-missing'],
    ['x * 2 + -1', 'recipe-missing'],
  ])('that computes %s takes pixels where its numbers tell: %s', async (does, outcome) => {
    const model = await modelIn({ layers: ['prepare', 'conv'], preprocessing: [{ layer: 'prepare', does }] });
    const found = await choose(model).then(
      ({ origin }) => origin,
      refusal => refusal.code,
    );
    expect(found).toBe(outcome);
  });

  it("of ConvNeXt takes pixels, though its Normalization doesn't tell", async () => {
    const layers = ['normalization:Normalization', 'convnext_tiny_stage_3_block_2_layer_scale'];
    const preprocessing = [{ layer: 'normalization', does: '(x - mean) / std' }];
    expect((await choose(await modelIn({ layers, preprocessing }))).origin).toBe('graph');
  });

  it('is what the reader of its format says, never the class of a layer alone: a Normalization may be an inverted one', async () => {
    const model = await modelIn({ layers: ['normalization:Normalization', 'rescaling:Rescaling', 'conv1'] });
    const { message } = await refusalOf(() => choose(model), 'recipe-missing');
    expect(message).not.toContain('normalization');
    expect((await choose(model, '--scale', '1/255', '--mean', '0.5')).notes).toHaveLength(1);
  });

  it('is missed with a warning, where the preset counts on it', async () => {
    const { notes } = await choose(await modelIn({ layers: ['conv'] }), '--recipe', 'keras:convnext_tiny');
    expect(notes[1]).toMatch(
      /^the preset keras:convnexttiny leaves scaling to the model, but no layer behind its input/,
    );
    const scaled = await choose(await modelIn({ layers: ['conv'] }), '--recipe', 'keras:convnext_tiny', '--scale', '2');
    expect(scaled.notes).toHaveLength(1);
  });
});

describe('without any recipe', () => {
  it('is refused, and told what to give', async () => {
    const model = await bareModel();
    const { message, hint } = await refusalOf(() => choose(model), 'recipe-missing');
    expect(message).toBe(
      `Expected a recipe for '${model.path}' but there is no --recipe, no recipe flag, no model.recipe.json beside it and nothing in the model's own files that says how its input is prepared`,
    );
    expect(hint).toBe(
      'Say how its training code prepared the pixels, for example --scale 1/255 for pixel / 255, or --scale 1/127.5 --mean 1 for pixel / 127.5 - 1; or write model.recipe.json.',
    );
  });

  it.skipIf(missing(MOBILENET))(
    `the architecture is only a proposal for a head of another kind: the nsfw MobileNetV2 was trained on x/255${whyNoShared(MOBILENET)}`,
    async () => {
      const model = await openModel(MOBILENET);
      const { message, hint } = await refusalOf(() => choose(model), 'recipe-missing');
      expect(message).toMatch(
        /It looks like mobilenetv2 of keras\.applications, but its 5 outputs are not ImageNet's 1000 classes, so whoever trained it may have prepared the pixels in another way$/,
      );
      expect(hint).toMatch(/^If it was trained on Keras' preprocess_input, give --recipe keras:mobilenetv2\. Say how /);
    },
  );

  it('a backbone without a head gets the proposal too', async () => {
    const { message } = await refusalOf(
      async () => choose(await modelIn({ ...RESNET50, output: [7, 7, 2048] })),
      'recipe-missing',
    );
    expect(message).toContain("It looks like resnet50 of keras.applications, but its output is not ImageNet's 1000");
  });

  it('one of grey images is not fed colours, though it has the head', async () => {
    await refusalOf(async () => choose(await modelIn({ ...RESNET50, input: [224, 224, 1] })), 'recipe-missing');
  });

  it('an architecture that prepares its input in the graph, built without that, is not guessed at', async () => {
    const layers = ['expanded_conv_depthwise', 'expanded_conv_14_project', 'predictions'];
    const model = await modelIn({ layers, output: [1000] });
    const { message, hint } = await refusalOf(() => choose(model), 'recipe-missing');
    expect(message).toMatch(
      /It looks like mobilenetv3large of keras\.applications, yet without the layers that prepare its input there$/,
    );
    expect(hint).not.toContain('keras:');
  });

  it('a model of open size is told to give one', async () => {
    const model = await modelIn({ layers: ['conv'], input: [null, null, 3] });
    const { hint } = await refusalOf(() => choose(model), 'recipe-missing');
    expect(hint).toContain('--size 224x224 --scale 1/255');
    const sized = await refusalOf(() => choose(model, '--scale', '1'), 'bad-option');
    expect(sized.message).toContain('width');
    expect(sized.hint).toBe('Give --size WxH: the model leaves its input size open.');
  });
});

describe('what is wrong is refused:', () => {
  it.each([
    [['--size', '32x64'], 'bad-option', 'input [64, 64, 3] (height, width, channels) but received [64, 32, 3]'],
    [['--channels', 'gray'], 'bad-option', 'received [64, 64, 1] from the flag --channels over the sidecar'],
    [['--mean', '1,2'], 'bad-option', 'Expected 1 or 3 numbers for --mean but received 2'],
    [['--std', '1,0,1'], 'bad-option', 'must not be 0'],
    [['--scale', '0'], 'bad-option', 'must not be 0'],
    [
      ['--recipe', 'torchvison'],
      'bad-option',
      "Expected a recipe preset or the path of a .json file but received 'torchvison'",
    ],
  ] as const)('%j', async (flags, code, words) => {
    const model = await openModel(DEMO_MODEL);
    const { message } = await refusalOf(() => choose(model, ...flags), code);
    expect(message).toContain(words);
  });

  it('a recipe file that is missing, no JSON, or has an unknown field', async () => {
    const model = await openModel(DEMO_MODEL);
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'text.json'), 'scale 1');
    await writeFile(join(folder, 'typo.json'), JSON.stringify({ width: 64, height: 64, scale: 1, channel: 'bgr' }));
    for (const [name, words] of [
      ['missing.json', 'cannot be read'],
      ['text.json', 'Expected JSON'],
      ['typo.json', 'channel'],
    ] as const) {
      const path = join(folder, name);
      const { message } = await refusalOf(() => choose(model, '--recipe', path), 'recipe-missing');
      expect(message).toContain(path);
      expect(message).toContain(words);
    }
  });

  it('a sidecar that is wrong, though the model would do without', async () => {
    const model = await modelIn(RESNET50, { 'model.recipe.json': { scale: 1 } });
    await refusalOf(() => choose(model), 'recipe-missing');
    await rm(join(dirname(model.path), 'model.recipe.json'));
    await mkdir(join(dirname(model.path), 'model.recipe.json'));
    await refusalOf(() => choose(model), 'recipe-missing');
  });
});

describe('a recipe as an object', () => {
  it('is whole but for the size, and takes nothing from the sidecar', async () => {
    const model = await openModel(DEMO_MODEL);
    expect(completeRecipe({ scale: 1 / 255 }, model)).toMatchObject({ width: 64, height: 64, mean: [0] });
    await refusalOf(() => completeRecipe({ mean: 1 }, model), 'bad-option');
  });

  it('prepares nothing twice, and says so in the words of a program', async () => {
    const model = await modelIn(RESCALING);
    const { message, hint } = await refusalOf(() => completeRecipe({ scale: 1 / 255 }, model), 'recipe-mismatch');
    expect(message).toContain('but received x/255 from the option `recipe`');
    expect(hint).toMatch(/^Give \{ recipe: \{ scale: 1 \} \}\./);
  });

  it('is proposed in the words of a program', async () => {
    const model = await modelIn({ ...RESNET50, output: [5], input: [null, null, 3] });
    const { hint } = await refusalOf(() => chooseRecipe({}, model, 'function'), 'recipe-missing');
    expect(hint).toMatch(/^If it was trained on Keras' preprocess_input, give \{ recipe: 'keras:resnet50' \}\. /);
    expect(hint).toContain('{ recipe: { width: 224, height: 224, scale: 1 / 127.5, mean: 1 } }');
  });
});
