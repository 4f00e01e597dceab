// Keras models as ModelFile, whatever file they came from: the layer table, and shapes for one input shape. No native code.
import { remember } from '../../../setup/src/remember.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import { findInputPreparation } from '../keras/input-preparation.ts';
import type { GraphLayer, LayerGraph, LayerWeights, TensorRef } from '../layer-graph.ts';
import { tensorNames } from '../layer-names.ts';
import type { Layer, LayerTable } from '../layer-table.ts';
import type { ModelFile } from '../model.ts';
import { neededCalls, rebuildLayersModel, requireTensors } from '../rebuild/layers-model.ts';
import { unsupportedReason } from '../rebuild/unsupported.ts';
import { tfjs } from '../tfjs.ts';
import type { KerasFile } from './keras-file.ts';

type Shape = readonly (number | null)[];

export async function describeKerasFile(file: KerasFile): Promise<ModelFile> {
  const { path, format, graph } = file;
  const sha256 = await file.digest();
  let read: Promise<LayerWeights> | undefined;
  const weightShapes = (): Promise<LayerWeights> => {
    read ??= file.weights({ data: false });
    read.catch(() => undefined);
    // Takes a third of a second, in which the weights are read by a thread of their own.
    tfjs();
    return read;
  };
  // Reading the weights' shapes and loading what rebuilds a model take a second, and the bytes of the model say it all.
  return {
    ...{ path, format, sha256 },
    table: await remember(['layer table', format, sha256], async () => describeLayers(graph, await weightShapes())),
    shapesFor: (inputShape, layers) =>
      remember(['shapes', format, sha256, inputShape, layers], async () =>
        shapesFor(file, await weightShapes(), inputShape, layers),
      ),
  };
}

/** One row per tensor that can be taken, nested models behind their layers; Keras' own order of `model.layers`. */
function describeLayers(graph: LayerGraph, weights: LayerWeights): LayerTable {
  const names = tensorNames(graph);
  const nameOf = new Map([...names].map(([name, ref]) => [keyOf(ref), name]));
  const refusals = reasonsByCall(graph);
  const known = [...names].filter(([, ref]) => refusals[ref.call] === undefined).map(([name]) => name);
  const shapes = new Map(
    known.length === 0
      ? []
      : rebuildLayersModel(graph, weights, { wanted: known }).outputs.map((output, index) => [
          known[index] ?? '',
          output.shape,
        ]),
  );
  const counted = new Set<string>();
  const layers = [...names].map(([name, ref], index): Layer => {
    const call = graph.calls[ref.call];
    const layer = graph.layers[call?.layer ?? -1];
    const nested = graph.nested.find(model => name === model.name || name.startsWith(`${model.name}#`));
    const isModel = nested !== undefined && layer?.name !== name.replace(/#\d+$/, '');
    const unsupported = refusals[ref.call];
    let parameters = 0;
    // Shared weights, and those of further outputs, count once.
    if (!isModel && layer !== undefined && !counted.has(layer.name)) {
      counted.add(layer.name);
      parameters = (weights.get(layer.name) ?? []).reduce((sum, { shape }) => sum + sizeOfShape(shape), 0);
    }
    const sources = isModel ? [ref] : (call?.inputs ?? []);
    return {
      index,
      name,
      className: isModel ? nested.className : (layer?.className ?? ''),
      outputShape: withoutBatch(shapes.get(name)),
      parameters,
      inbound: [...new Set(sources.flatMap(source => nameOf.get(keyOf(source)) ?? []))],
      ...(unsupported !== undefined && { unsupported }),
    };
  });
  const visible = new Set(layers.map(({ name }) => name));
  const preprocessing = findInputPreparation(graph);
  return {
    layers: layers.map(layer => ({ ...layer, inbound: layer.inbound.filter(name => visible.has(name)) })),
    inputShape: declaredShape(inputLayer(graph, 0)?.config.batch_shape) ?? [],
    outputs: [...new Set(graph.outputs.flatMap(ref => nameOf.get(keyOf(ref)) ?? []))],
    modelName: graph.name,
    ...(preprocessing.length > 0 && { preprocessing }),
  };
}

/** For each call why its values cannot be had: its own layer cannot be rebuilt, or one before it. */
function reasonsByCall(graph: LayerGraph): readonly (string | undefined)[] {
  const reasons: (string | undefined)[] = [];
  for (const { layer, inputs } of graph.calls) {
    const spec = graph.layers[layer];
    const own = spec && unsupportedReason(spec);
    reasons.push(own ?? inputs.map(({ call }) => reasons[call]).find(reason => reason !== undefined));
  }
  return reasons;
}

function shapesFor(
  file: KerasFile,
  weights: LayerWeights,
  inputShape: readonly number[],
  layers: readonly string[],
): readonly (readonly number[])[] {
  const model = rebuildForImages(file, weights, inputShape, layers);
  return model.outputs.map(({ shape }, index) => {
    // A scalar per sample is a feature of shape [1].
    const axes = shape.length === 1 ? [1] : shape.slice(1);
    const known = axes.filter((axis): axis is number => axis !== null);
    if (known.length === axes.length) return known;
    throw new Refusal('recipe-mismatch', `Expected a layer of fixed shape but '${layers[index]}' gives ${list(axes)}`);
  });
}

/**
 * The sub-model of some layers for images of one shape, cut from a Keras file.
 * @throws Refusal `unknown-layer`, `recipe-mismatch`, `model-unreadable`
 */
export function rebuildForImages(
  { graph, path }: KerasFile,
  weights: LayerWeights,
  inputShape: readonly number[],
  layers: readonly string[],
): ReturnType<typeof rebuildLayersModel> {
  const input = requireOneInput(graph, layers);
  requireInputShape(graph, inputShape, input);
  const inputShapes = graph.inputs.map((_, index) => (index === input ? inputShape : undefined));
  try {
    return rebuildLayersModel(graph, weights, { wanted: layers, inputShapes });
  } catch (cause) {
    if (cause instanceof Refusal && cause.code !== 'model-unreadable') throw cause;
    // The file itself was read: what cannot be built is this shape, unless a layer of it cannot be built at all.
    rebuildLayersModel(graph, weights, { wanted: layers });
    throw new Refusal(
      'recipe-mismatch',
      `Expected an input that the layers of ${path} can take but received ${list(inputShape)}`,
      { hint: "Shapes are [height, width, channels]; change the recipe's size or channels.", cause },
    );
  }
}

/** An image is all that a sample has: what the wanted layers need must be one input. Its position among the inputs. */
function requireOneInput(graph: LayerGraph, layers: readonly string[]): number {
  const calls = neededCalls(graph, requireTensors(graph, layers));
  const needed = graph.inputs.flatMap(({ call }, position) => (calls.has(call) ? [position] : []));
  const [input, ...others] = needed;
  if (input !== undefined && others.length === 0) return input;
  const names = needed.map(position => inputLayer(graph, position)?.name);
  throw new Refusal(
    'recipe-mismatch',
    `Expected layers that need one image input but received ${needed.length}: ${names.join(', ')}`,
    { hint: 'Take layers that lie behind one of the inputs only.' },
  );
}

/**
 * Refuses (`recipe-mismatch`) a shape that a model's input does not allow.
 * @param inputShape of one sample, without the batch axis @param input position among the graph's inputs
 */
export function requireInputShape(graph: LayerGraph, inputShape: readonly number[], input = 0): void {
  const declared = declaredShape(inputLayer(graph, input)?.config.batch_shape);
  const fits =
    declared === undefined ||
    (declared.length === inputShape.length && declared.every((axis, i) => axis === null || axis === inputShape[i]));
  if (fits) return;
  throw new Refusal(
    'recipe-mismatch',
    `Expected an input of shape ${list(declared)} but the recipe gives ${list(inputShape)}`,
    { hint: 'Shapes are [height, width, channels]; change the size or the channels of the recipe.' },
  );
}

function inputLayer(graph: LayerGraph, position: number): GraphLayer | undefined {
  return graph.layers[graph.calls[graph.inputs[position]?.call ?? -1]?.layer ?? -1];
}

/** Without the batch axis; undefined where the config holds none. */
function declaredShape(batchShape: unknown): Shape | undefined {
  if (!Array.isArray(batchShape)) return undefined;
  return batchShape.slice(1).map(axis => (typeof axis === 'number' ? axis : null));
}

function withoutBatch(shape: Shape | undefined): Shape {
  return shape?.slice(1) ?? [];
}

function keyOf({ call, output }: TensorRef): string {
  return `${call}:${output}`;
}

function list(shape: Shape): string {
  return `[${shape.map(axis => axis ?? '?').join(', ')}]`;
}
