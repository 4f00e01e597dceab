// Where a recipe comes from, and what is refused instead of guessed.

import { cp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ModelFile, openModel } from '../../../extractor/src/model.ts';
import { type ChosenRecipe, chooseRecipe } from '../../../services/producer/src/choose-recipe.ts';
import { extractOptions } from '../../../shared/src/extract-options.ts';
import { parseOptions } from '../../../shared/src/options.ts';
import { DEMO_MODEL } from '../../support/demo-set.ts';
import { refusalOf } from '../../support/refusal.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

async function choose(model: ModelFile, ...flags: readonly string[]): Promise<ChosenRecipe> {
  const argv = ['--model', model.path, '--layer', 'features', '--out', 'out', ...flags];
  const { values } = parseOptions(extractOptions, { argv, env: {}, command: 'layertap extract' });
  return chooseRecipe(values, model);
}

/** The demo model, whose input is [64, 64, 3], with no recipe beside it. */
async function bareModel(): Promise<ModelFile> {
  const folder = await temporaryFolder();
  await cp(dirname(DEMO_MODEL), folder, { recursive: true });
  await rm(join(folder, 'model.recipe.json'));
  return openModel(join(folder, 'model.json'));
}

describe('chooseRecipe', () => {
  it('takes the sidecar of the model', async () => {
    const { recipe, origin } = await choose(await openModel(DEMO_MODEL));
    expect(origin).toBe('sidecar');
    expect(recipe).toMatchObject({ width: 64, height: 64, channels: 'rgb', scale: 0.00784313725490196, mean: [1] });
  });

  it('lets flags win over the sidecar, one by one', async () => {
    const flags = ['--channels', 'bgr', '--mean', '0.1,0.2,0.3', '--std', '2', '--exif', 'apply', '--resize', 'box'];
    const { recipe, origin } = await choose(await openModel(DEMO_MODEL), ...flags);
    expect(origin).toBe('flags');
    expect(recipe).toMatchObject({
      ...{ width: 64, scale: 0.00784313725490196 },
      ...{ channels: 'bgr', mean: [0.1, 0.2, 0.3], std: [2], exif: 'apply', resize: 'box' },
    });
  });

  it('takes a recipe file instead of the sidecar', async () => {
    const file = join(await temporaryFolder(), 'own.json');
    await writeFile(file, JSON.stringify({ width: 64, height: 64, scale: 1 }));
    const { recipe, origin } = await choose(await openModel(DEMO_MODEL), '--recipe', file);
    expect(origin).toBe('file');
    expect(recipe).toMatchObject({ scale: 1, mean: [0], std: [1], resize: 'bilinear' });
  });

  it('takes the size from the model, which fixes it, and the rest from flags', async () => {
    const { recipe } = await choose(await bareModel(), '--scale', '0.5');
    expect(recipe).toMatchObject({ width: 64, height: 64, scale: 0.5, channels: 'rgb' });
  });

  it('refuses without any recipe, and says what to give', async () => {
    const model = await bareModel();
    const { message, hint } = await refusalOf(() => choose(model), 'recipe-missing');
    expect(message).toContain('model.recipe.json');
    expect(hint).toContain('--scale 1/255');
    expect(hint).not.toContain('--size');
  });

  it('refuses flags without a scale, which no file tells', async () => {
    const model = await bareModel();
    const { message } = await refusalOf(() => choose(model, '--mean', '0.5'), 'recipe-missing');
    expect(message).toContain('--scale');
  });

  it('refuses a recipe without a size where the model leaves it open', async () => {
    const model = await openModel('null:8');
    const { message, hint } = await refusalOf(() => choose(model, '--scale', '1'), 'bad-option');
    expect(message).toContain('width');
    expect(hint).toContain('--size');
  });

  it.each([
    [['--size', '32x64'], 'bad-option', 'input [64, 64, 3] (height, width, channels) but received [64, 32, 3]'],
    [['--channels', 'gray'], 'bad-option', 'received [64, 64, 1]'],
    [['--mean', '1,2'], 'bad-option', 'Expected 1 or 3 numbers for --mean but received 2'],
    [['--std', '1,0,1'], 'bad-option', 'must not be 0'],
    [['--scale', '0'], 'bad-option', 'must not be 0'],
  ] as const)('refuses %j', async (flags, code, words) => {
    const model = await openModel(DEMO_MODEL);
    const { message } = await refusalOf(() => choose(model, ...flags), code);
    expect(message).toContain(words);
  });

  it('refuses a recipe file that is missing, no JSON, or has an unknown field', async () => {
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
});
