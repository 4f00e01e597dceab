// Recipe files: the sidecar beside a model, or the file that the user names.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findSidecarRecipe, readRecipeFile, sidecarPathOf } from '../../shared/src/recipe-file.ts';
import { refusalOf } from '../support/refusal.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const recipe = { width: 224, height: 224, scale: 1 };

async function recipeFile(text: string): Promise<string> {
  const path = join(await temporaryFolder(), 'own.json');
  await writeFile(path, text);
  return path;
}

describe('sidecarPathOf', () => {
  it('takes the place of the extension', () => {
    expect(sidecarPathOf('/models/model.json')).toBe('/models/model.recipe.json');
    expect(sidecarPathOf('/models/net.v2.onnx')).toBe('/models/net.v2.recipe.json');
  });

  it('is added where there is no extension, and dots of folders are left alone', () => {
    expect(sidecarPathOf('/models.d/saved_model')).toBe('/models.d/saved_model.recipe.json');
  });
});

describe('the recipe beside a model', () => {
  it('is found', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'model.recipe.json'), JSON.stringify(recipe));
    expect(await findSidecarRecipe(join(folder, 'model.json'))).toMatchObject({
      ...recipe,
      resize: 'pillow:bilinear',
    });
  });

  it('is undefined where there is none', async () => {
    expect(await findSidecarRecipe(join(await temporaryFolder(), 'model.json'))).toBeUndefined();
  });

  it('is refused, not passed over, where it is wrong or cannot be read', async () => {
    const folder = await temporaryFolder();
    const model = join(folder, 'model.json');
    await mkdir(join(folder, 'model.recipe.json'));
    await refusalOf(() => findSidecarRecipe(model), 'recipe-missing');
    await writeFile(join(folder, 'other.recipe.json'), '{}');
    await refusalOf(() => findSidecarRecipe(join(folder, 'other.json')), 'recipe-missing');
  });
});

describe('a recipe file', () => {
  it('that is missing is refused with its path and the fields to give', async () => {
    const path = join(await temporaryFolder(), 'none.json');
    const { message, hint } = await refusalOf(() => readRecipeFile(path), 'recipe-missing');
    expect(message).toContain(path);
    expect(hint).toContain('scale');
  });

  it('that is no JSON is refused with its path', async () => {
    const path = await recipeFile('width: 224');
    expect((await refusalOf(() => readRecipeFile(path), 'recipe-missing')).message).toBe(
      `Expected JSON in the recipe file '${path}'`,
    );
  });

  it('with wrong fields is refused with their names, on one line, and the valid ones', async () => {
    const path = await recipeFile(JSON.stringify({ ...recipe, scale: '1', sized: 2 }));
    const { message, hint } = await refusalOf(() => readRecipeFile(path), 'recipe-missing');
    expect(message).toMatch(/sized/);
    expect(message).toMatch(/scale/);
    expect(message).not.toContain('\n');
    expect(hint).toBe('Its fields are width, height, resize, crop, channels, scale, mean, std, exif, alpha, quality.');
  });

  it('of before kernels had libraries still means what it meant', async () => {
    const old = { ...recipe, resize: 'bilinear', channels: 'rgb', mean: [0], std: [1], exif: 'ignore' };
    expect(await readRecipeFile(await recipeFile(JSON.stringify(old)))).toEqual({
      ...old,
      resize: 'pillow:bilinear',
      crop: { kind: 'none' },
      alpha: 'drop',
      quality: 'exact',
    });
  });

  it('may insist on preparing what the graph prepares, with true alone', async () => {
    const insisting = await recipeFile(JSON.stringify({ ...recipe, overGraphPreprocessing: true }));
    expect(await readRecipeFile(insisting)).toMatchObject({ ...recipe, overGraphPreprocessing: true });
    const unsure = await recipeFile(JSON.stringify({ ...recipe, overGraphPreprocessing: false }));
    await refusalOf(() => readRecipeFile(unsure), 'recipe-missing');
  });
});
