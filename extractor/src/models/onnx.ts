// Reader of ONNX files: every node is a layer, named by the tensor it gives. No native code until shapes are asked for.
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Layer, LayerTable } from '../layer-table.ts';
import type { ModelFile, ModelReader } from '../model.ts';
import { channelAxes } from './onnx-channels.ts';
import { type OnnxFile, readOnnxFile } from './onnx-file.ts';
import type { OnnxGraph, OnnxNode, OnnxShape } from './onnx-graph.ts';

export const onnxReader: ModelReader = { format: 'onnx', recognises, open: openOnnx };

async function openOnnx(path: string): Promise<ModelFile> {
  const file = await readOnnxFile(path);
  return {
    path: file.path,
    format: 'onnx',
    sha256: createHash('sha256').update(file.bytes).digest('hex'),
    table: describeGraph(file.graph),
    shapesFor: (inputShape, layers) => shapesFor(file, inputShape, layers),
  };
}

/** By one run of zeros: files rarely hold the shapes inside their graph, and often wrong ones. */
async function shapesFor(
  file: OnnxFile,
  inputShape: readonly number[],
  layers: readonly string[],
): Promise<readonly (readonly number[])[]> {
  const { openOnnxEngine } = await import('../engines/onnx.ts');
  const engine = await openOnnxEngine();
  const extractor = await engine.load({ model: file.path, layers, inputShape });
  const shapes = extractor.outputs.map(output => output.shape);
  await extractor.close();
  return shapes;
}

function describeGraph(graph: OnnxGraph): LayerTable {
  const axes = channelAxes(graph);
  const layerOf = new Map(graph.nodes.flatMap(node => node.outputs.map(output => [output, node.outputs[0]] as const)));
  const constants = graph.nodes.filter(isConstant).map(node => [node.outputs[0] ?? '', node.constants] as const);
  const unowned = new Map([...graph.weights.map(weight => [weight.name, weight.parameters] as const), ...constants]);
  const constantNames = new Set(constants.map(([name]) => name));
  const shapeOf = (name: string): OnnxShape => channelsLast(graph.known.get(name)?.shape, axes.get(name) === 'first');
  const inputs = graph.inputs.map(
    ({ name }, index): Layer => ({
      index,
      name,
      className: 'Input',
      outputShape: shapeOf(name),
      parameters: 0,
      inbound: [],
    }),
  );
  const inputNames = new Set(inputs.map(input => input.name));
  const running = graph.nodes.filter(node => !isConstant(node));
  const nodes = running.map(({ opType, inputs: taken, outputs }, index): Layer => {
    const name = outputs[0] ?? '';
    let parameters = 0;
    for (const input of taken) {
      parameters += unowned.get(input) ?? 0;
      unowned.delete(input); // A shared weight counts once.
    }
    const inbound = taken.flatMap(input => (inputNames.has(input) ? [input] : (layerOf.get(input) ?? [])));
    return {
      index: inputs.length + index,
      name,
      className: opType,
      outputShape: shapeOf(name),
      parameters,
      inbound: [...new Set(inbound)].filter(maker => !constantNames.has(maker)),
      ...(!axes.has(name) && { channelAxis: 'unknown' }),
    };
  });
  const [image] = graph.inputs;
  return {
    layers: [...inputs, ...nodes],
    inputShape: image === undefined ? [] : shapeOf(image.name),
    outputs: [...new Set(graph.outputs.map(output => layerOf.get(output.name) ?? output.name))],
  };
}

/** A weight in all but name: no layer. */
function isConstant(node: OnnxNode): boolean {
  return node.opType === 'Constant';
}

/** Without the batch axis; empty where the file doesn't say. */
function channelsLast(shape: OnnxShape | undefined, isChannelsFirst: boolean): OnnxShape {
  const [channels, ...space] = shape?.slice(1) ?? [];
  if (channels === undefined) return [];
  return isChannelsFirst ? [...space, channels] : [channels, ...space];
}

/** By name, or by the first field of the file: the version of the format. */
async function recognises(path: string): Promise<boolean> {
  if (path.endsWith('.onnx')) return true;
  const handle = await open(path).catch(() => undefined);
  if (handle === undefined) return false;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer[0] === 0x08 && (buffer[1] ?? 0) < 64 && buffer[2] === 0x12;
  } catch {
    return false; // A folder.
  } finally {
    await handle.close();
  }
}
