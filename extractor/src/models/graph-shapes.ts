// Shapes of a TensorFlow graph's layers for one input shape: from the file where it holds them, else by a probe run.
import { chooseEngine } from '../engine-choice.ts';
import type { ModelFile } from '../model.ts';
import { probeShapes } from '../probe-shapes.ts';
import { requireGraphLayers } from './graph-request.ts';

/** Loads no runtime in this process: a probe runs in a child, on the engine that would run the model. */
export async function knownOrProbedShapes(
  model: Pick<ModelFile, 'path' | 'format' | 'table'>,
  inputShape: readonly number[],
  layers: readonly string[],
): Promise<readonly (readonly number[])[]> {
  requireGraphLayers(model.table, inputShape, layers);
  const known = knownShapes(model.table, layers);
  if (known !== undefined) return known;
  const { engine } = await chooseEngine('auto', model);
  return probeShapes({ engine, model: model.path, layers, inputShape });
}

/** Undefined where one of them has an open axis, or none that are known. */
function knownShapes(table: ModelFile['table'], layers: readonly string[]): readonly (readonly number[])[] | undefined {
  const shapes: (readonly number[])[] = [];
  for (const name of layers) {
    const shape = table.layers.find(layer => layer.name === name)?.outputShape ?? [];
    const known = shape.filter((axis): axis is number => axis !== null);
    if (known.length === 0 || known.length < shape.length) return undefined;
    shapes.push(known);
  }
  return shapes;
}
