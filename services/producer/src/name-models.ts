// Several models of one run: what each is called, and which of the wanted layers are its own. For decide-request.ts.
import { existsSync } from 'node:fs';
import { isModelUrl } from '../../../extractor/src/model-reference.ts';
import { Refusal } from '../../../shared/src/errors.ts';

export interface NamedReference {
  /** Undefined for a model that is alone and was given no name. */
  readonly name: string | undefined;
  /** Path or URL. */
  readonly reference: string;
}

const GIVEN_NAME = /^([\w.-]+)=(.+)$/s;

/** `NAME=PATH`, or a path that gives the name itself: `resnet50` for `models/resnet50.keras` and for `resnet50/model.json`. */
export function nameModels(given: readonly string[]): readonly NamedReference[] {
  const models = given.map(text => {
    const [, name, reference] = GIVEN_NAME.exec(text) ?? [];
    // A file may be called `epoch=12.onnx`.
    if (name !== undefined && reference !== undefined && !existsSync(text)) return { name, reference };
    return { name: given.length === 1 ? undefined : nameOf(text), reference: text };
  });
  const twice = models.find(({ name }, at) => models.findIndex(other => other.name === name) !== at);
  if (twice === undefined) return models;
  throw new Refusal('bad-option', `Expected models of different names but two are called '${twice.name}'`, {
    hint: 'Give them names: --model first=PATH --model second=PATH.',
  });
}

function nameOf(reference: string): string {
  const path = isModelUrl(reference) ? new URL(reference).pathname : reference;
  const parts = path.split(/[\\/]/).filter(part => part !== '');
  const last = parts.at(-1) ?? '';
  const part = last === 'model.json' ? (parts.at(-2) ?? last) : last;
  return part.replace(/(?<=.)\.(keras|h5|hdf5|onnx|json|zip|tar\.gz|tgz)$/i, '').replace(/[^\w.-]/g, '_');
}

/**
 * What is wanted of one model: `NAME/LAYER` is for the model of that name, anything else for every one.
 * @param name undefined for the only model
 */
export function wantedOf(
  name: string | undefined,
  all: readonly (string | undefined)[],
  wanted: readonly string[],
): readonly string[] {
  if (name === undefined) return wanted;
  return wanted.flatMap(entry => {
    const prefix = all.map(other => `${other}/`).find(other => entry.startsWith(other));
    if (prefix === undefined) return [entry];
    return prefix === `${name}/` ? [entry.slice(prefix.length)] : [];
  });
}

/** `wantedOf` where every model must have a layer. */
export function layersOf(
  model: NamedReference,
  all: readonly NamedReference[],
  wanted: readonly string[],
): readonly string[] {
  const names = all.map(({ name }) => name);
  const layers = wantedOf(model.name, names, wanted);
  if (layers.length > 0) return layers;
  throw new Refusal('bad-option', `Expected a layer of every model but none of '${model.name}' is asked for`, {
    hint: `Add --layer ${model.name}/NAME.`,
  });
}
