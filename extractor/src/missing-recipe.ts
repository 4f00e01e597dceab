// The refusal where nobody said how the input is prepared, with what is known about the model. For choose-recipe.ts.
import { basename } from 'node:path';
import { Refusal } from '../../shared/src/errors.ts';
import { sidecarPathOf } from '../../shared/src/recipe-file.ts';
import { recogniseArchitecture } from './architecture.ts';
import { findPreparation } from './input-preparation.ts';
import type { ModelFile } from './model.ts';
import { type RecipeAsker, sayFields, sayRecipe } from './recipe-words.ts';

export interface MissingOptions {
  readonly asker: RecipeAsker;
  /** The user gave flags, but no scale. */
  readonly isFlagged: boolean;
}

/** A Refusal `recipe-missing` that proposes what the architecture suggests. */
export function missingRecipe(model: ModelFile, { asker, isFlagged }: MissingOptions): Refusal {
  const sidecar = basename(sidecarPathOf(model.path));
  const problem = isFlagged
    ? 'Expected --scale among the recipe flags: whether the model wants 0-255, 0-1 or -1-1 cannot be seen from its file'
    : `Expected a recipe for '${model.path}' but ${asker === 'command' ? 'there is no --recipe, no recipe flag' : 'no recipe is given'}, no ${sidecar} beside it and nothing in the model's own files that says how its input is prepared`;
  const { known, proposal } = whatIsKnown(model, asker);
  const examples = `${sayFields(asker, { ...sizeToGive(model), scale: '1/255' })} for pixel / 255, or ${sayFields(asker, { ...sizeToGive(model), scale: '1/127.5', mean: '1' })} for pixel / 127.5 - 1`;
  return new Refusal('recipe-missing', known === undefined ? problem : `${problem}. ${known}`, {
    hint: `${proposal ?? ''}Say how its training code prepared the pixels, for example ${examples}; or write ${sidecar}.`,
  });
}

function whatIsKnown(model: ModelFile, asker: RecipeAsker): { readonly known?: string; readonly proposal?: string } {
  const [unclear] = findPreparation(model.table)?.layers ?? [];
  if (unclear !== undefined) {
    return {
      known: `Its layer '${unclear.layer}' prepares its input (${unclear.does}) but doesn't tell whether it takes 0-255 or 0-1`,
      proposal: `${sayFields(asker, { scale: '1' })} feeds it 0-255, ${sayFields(asker, { scale: '1/255' })} 0-1. `,
    };
  }
  const architecture = recogniseArchitecture(model.table);
  if (architecture === undefined) return {};
  const preset = `keras:${architecture.name}`;
  const classes = architecture.classes;
  const doubt =
    classes === 1000
      ? 'yet without the layers that prepare its input there'
      : `but ${classes === undefined ? 'its output is not' : `its ${classes} outputs are not`} ImageNet's 1000 classes, so whoever trained it may have prepared the pixels in another way`;
  return {
    known: `It looks like ${architecture.name} of keras.applications, ${doubt}`,
    ...(classes !== 1000 && {
      proposal: `If it was trained on Keras' preprocess_input, give ${sayRecipe(asker, preset)}. `,
    }),
  };
}

/** A model of fixed size needs none. */
function sizeToGive(model: ModelFile): { readonly size?: string } {
  const [height, width] = model.table.inputShape;
  return height == null || width == null ? { size: '224x224' } : {};
}
