// The places a recipe can come from, asked in their order: for choose-recipe.ts. Flags come before all of them.
import { stat } from 'node:fs/promises';
import { basename, relative, resolve } from 'node:path';
import type { RecipeFields, RecipeOrigin } from '../../shared/src/recipe.ts';
import { findSidecarRecipe, type RecipeFile, readRecipeFile, sidecarPathOf } from '../../shared/src/recipe-file.ts';
import { findPreset, RECIPE_PRESETS, type RecipePreset } from '../../shared/src/recipe-presets.ts';
import { recogniseArchitecture } from './architecture.ts';
import { findPreparation } from './input-preparation.ts';
import type { ModelFile } from './model.ts';
import { findModelRecipe } from './model-recipe.ts';

/** What one origin says; single flags may still win over any field. */
export interface OriginalRecipe {
  readonly origin: RecipeOrigin;
  /** Completes `recipe from …`. */
  readonly reason: string;
  /** Its width and height win over those of the model, and are refused where they differ. */
  readonly fields: RecipeFields;
  /** Both sides where neither the fields nor the model fix them, in pixels. */
  readonly usualSize?: number;
  /** The preset leaves scaling to the graph: a graph that doesn't scale deserves a warning. */
  readonly isInGraph?: boolean;
  /** Its writer insists on preparing the input of a graph that does so itself. */
  readonly overGraphPreprocessing?: boolean;
}

/** Number of classes of ImageNet: a model with so many outputs has Keras' own head. */
const IMAGENET_CLASSES = 1000;

/** @param wanted preset or recipe file that the user named, which is asked alone */
export async function findOriginalRecipe(
  model: ModelFile,
  wanted: string | undefined,
): Promise<OriginalRecipe | undefined> {
  if (wanted !== undefined) return namedRecipe(wanted);
  return (await sidecarRecipe(model)) ?? (await modelFilesRecipe(model)) ?? graphRecipe(model) ?? headRecipe(model);
}

async function namedRecipe(wanted: string): Promise<OriginalRecipe> {
  if (!RECIPE_PRESETS.has(wanted) && (await isFile(wanted))) {
    return { origin: 'file', reason: `the file ${wanted}`, ...fieldsOfFile(await readRecipeFile(wanted)) };
  }
  const { name, preset } = findPreset(wanted);
  return { origin: 'preset', reason: `the preset ${name}`, ...fieldsOfPreset(preset) };
}

async function sidecarRecipe(model: ModelFile): Promise<OriginalRecipe | undefined> {
  const recipe = await findSidecarRecipe(model.path);
  if (recipe === undefined) return undefined;
  return { origin: 'sidecar', reason: `the sidecar ${basename(sidecarPathOf(model.path))}`, ...fieldsOfFile(recipe) };
}

async function modelFilesRecipe(model: ModelFile): Promise<OriginalRecipe | undefined> {
  const found = await findModelRecipe(model);
  if (found === undefined) return undefined;
  const name = relative(resolve(model.path, '..'), found.path);
  return { origin: 'model-files', reason: `the model's own ${name} (${found.writer})`, fields: found.fields };
}

function graphRecipe(model: ModelFile): OriginalRecipe | undefined {
  const preparation = findPreparation(model.table);
  const architecture = recogniseArchitecture(model.table);
  const [first] = preparation?.layers ?? [];
  if (preparation === undefined || first === undefined) return undefined;
  // A Normalization alone doesn't tell its range; that of a known architecture does.
  const isKnown = architecture !== undefined && RECIPE_PRESETS.get(`keras:${architecture.name}`)?.isInGraph === true;
  if (preparation.takesLevels !== true && !(preparation.takesLevels === undefined && isKnown)) return undefined;
  return {
    origin: 'graph',
    reason: `the model itself, whose layer '${first.layer}' prepares 0-255 pixels (${first.does})`,
    fields: { scale: 1 },
  };
}

/** The architecture alone, and only with the head that Keras' own weights have. */
function headRecipe({ table }: ModelFile): OriginalRecipe | undefined {
  const architecture = recogniseArchitecture(table);
  if (architecture?.classes !== IMAGENET_CLASSES || table.inputShape.at(-1) !== 3) return undefined;
  const preset = RECIPE_PRESETS.get(`keras:${architecture.name}`);
  // One that prepares its input in the graph, yet here does not, was built to be fed something else.
  if (preset === undefined || preset.isInGraph) return undefined;
  return {
    origin: 'architecture',
    reason: `the architecture, ${architecture.name} of keras.applications with ImageNet's 1000 classes (as --recipe keras:${architecture.name})`,
    ...fieldsOfPreset(preset),
  };
}

function fieldsOfPreset({
  fields,
  size,
  isSizeFixed,
  isInGraph,
}: RecipePreset): Omit<OriginalRecipe, 'origin' | 'reason'> {
  return isSizeFixed
    ? { fields: { ...fields, width: size, height: size }, isInGraph }
    : { fields, usualSize: size, isInGraph };
}

function fieldsOfFile({ overGraphPreprocessing, ...fields }: RecipeFile): Omit<OriginalRecipe, 'origin' | 'reason'> {
  return { fields, ...(overGraphPreprocessing && { overGraphPreprocessing }) };
}

/** A name that looks like a path is meant as one, also where nothing stands there. */
async function isFile(name: string): Promise<boolean> {
  return /[/\\]|\.json$/.test(name) || (await stat(name).catch(() => undefined))?.isFile() === true;
}
