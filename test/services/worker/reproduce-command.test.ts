// The command that does again what a run did to one image.
import { describe, expect, it } from 'vitest';
import { reproduceCommand } from '../../../services/worker/src/reproduce-command.ts';
import { RECIPE, runOf } from '../../support/small-run.ts';

const command = (request: Parameters<typeof runOf>[0]): string =>
  reproduceCommand(runOf(request), "/it's out/q", 'list.txt', 'recipe.json');

describe('the command that reproduces a crash', () => {
  it('names the model, the layers, the recipe and the engine, in quotes where a shell needs them', () => {
    expect(command({ request: { model: '/my models/a.json', layers: ['block/conv', 'a*b'] } })).toBe(
      [
        `npx layertap extract '/it'\\''s out/q/list.txt' --model '/my models/a.json' --layer block/conv --layer 'a*b'`,
        `--recipe '/it'\\''s out/q/recipe.json' --engine onnx --batch 1 --out reproduction`,
      ].join(' '),
    );
  });

  it('gives the address of a model that has one', () => {
    const modelUrl = 'https://host/net.onnx#sha256=ab';
    expect(command({ request: { modelUrl } })).toContain(`--model '${modelUrl}'`);
  });

  it('names several models, and the recipe only where they share it', () => {
    const first = { modelName: 'a', model: '/a.onnx', layers: ['x'] };
    const second = { ...runOf().request, modelName: 'b', model: '/b.onnx', layers: ['y'] };
    const { modelSha256, recipeOrigin, engine } = second;
    const other = { modelName: 'b', model: '/b.onnx', layers: ['y'], modelSha256, recipeOrigin, engine };
    const shared = command({ request: { ...first, otherModels: [{ ...other, recipe: RECIPE }] } });
    expect(shared).toContain('--model a=/a.onnx --model b=/b.onnx --layer a/x --layer b/y --recipe');
    const own = command({ request: { ...first, otherModels: [{ ...other, recipe: { ...RECIPE, scale: 1 } }] } });
    expect(own).not.toContain('--recipe');
  });
});
