// The layer table of an ONNX graph: every tensor that a node makes of an input is a layer, under the tensor's own name,
// so also each further output of a node. Constants are none, nor are tensors inside the branches and bodies of If, Loop
// and Scan: they exist only while those run. For the reader.
import type { Layer, LayerTable } from '../layer-table.ts';
import { channelAxes } from './onnx-channels.ts';
import { inputsBehind } from './onnx-dependencies.ts';
import type { OnnxGraph, OnnxNode } from './onnx-graph.ts';
import { imageInputs } from './onnx-input.ts';
import { inputPreparation } from './onnx-preparation.ts';
import { unsupportedTensors } from './onnx-unsupported.ts';
import type { OnnxShape } from './onnx-value-info.ts';

export function describeGraph(graph: OnnxGraph): LayerTable {
  const axes = channelAxes(graph);
  const behind = inputsBehind(graph);
  const images = imageInputs(graph);
  const imageShapes = new Map(images.map(image => [image.name, image.shape] as const));
  const takeParameters = parameterCounter(graph);
  const unsupported = unsupportedTensors(graph, behind, new Set(imageShapes.keys()));
  const isConstant = (name: string): boolean => behind.get(name)?.size === 0;
  const layerOf = (name: string, className: string): Pick<Layer, 'name' | 'className' | 'outputShape'> => ({
    name,
    className,
    outputShape: withoutBatch(imageShapes.get(name) ?? graph.known.get(name)?.shape, axes.get(name) === 'first'),
  });
  const inputs = graph.inputs.map((input, index): Layer => {
    const reason = unsupported.get(input.name);
    const layer = { index, ...layerOf(input.name, 'Input'), parameters: 0, inbound: [] };
    return reason === undefined ? layer : { ...layer, unsupported: reason };
  });
  const made = graph.nodes.flatMap(node =>
    node.outputs
      .filter(name => !isConstant(name))
      .map((name, position): Omit<Layer, 'index'> => {
        const reason = unsupported.get(name);
        return {
          ...layerOf(name, node.opType),
          parameters: position === 0 ? takeParameters(node) : 0,
          inbound: [...new Set(node.inputs)].filter(input => !isConstant(input)),
          ...(!axes.has(name) && { channelAxis: 'unknown' as const }),
          ...(reason !== undefined && { unsupported: reason }),
        };
      }),
  );
  const layers = [...inputs, ...made.map((layer, index) => ({ ...layer, index: inputs.length + index }))];
  const names = new Set(layers.map(layer => layer.name));
  const preprocessing = images.flatMap(image => inputPreparation(graph, image.name));
  const modelName = meaningful(graph.name);
  return {
    layers,
    inputShape: (inputs.find(input => input.unsupported === undefined) ?? inputs[0])?.outputShape ?? [],
    outputs: [...new Set(graph.outputs.map(output => output.name))].filter(name => names.has(name)),
    ...(modelName !== undefined && { modelName }),
    ...(preprocessing.length > 0 && { preprocessing }),
  };
}

/** Parameters belong to the node that first takes them, also through nodes that only turn weights into others. */
function parameterCounter(graph: OnnxGraph): (node: OnnxNode) => number {
  const unowned = new Map(graph.weights.map(weight => [weight.name, weight.parameters] as const));
  const makers = new Map(graph.nodes.flatMap(node => node.outputs.map(output => [output, node] as const)));
  const counted = new Set<OnnxNode>();
  const behind = inputsBehind(graph);
  return node => {
    let parameters = 0;
    const open = [node];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (counted.has(next)) continue;
      counted.add(next);
      parameters += next.constants;
      for (const input of next.inputs) {
        parameters += unowned.get(input) ?? 0;
        unowned.delete(input); // A shared weight counts once.
        const maker = makers.get(input);
        if (maker !== undefined && behind.get(input)?.size === 0) open.push(maker);
      }
    }
    return parameters;
  };
}

/** Without the batch axis, channels last; empty where the file doesn't say. */
function withoutBatch(shape: OnnxShape | undefined, isChannelsFirst: boolean): OnnxShape {
  const [channels, ...space] = shape?.slice(1) ?? [];
  if (channels === undefined) return [];
  return isChannelsFirst ? [...space, channels] : [channels, ...space];
}

/** Exporters name graphs by themselves; only what is left says which model it is. */
function meaningful(name: string): string | undefined {
  const generic =
    /^$|graph|^main$|^model(_?\d+)?$|^g$|torch.?(jit|script|fx)|^tf2onnx$|paddle|^onnx|^test|^functional(_\d+)?$|^sequential(_\d+)?$/i;
  return generic.test(name) ? undefined : name;
}
