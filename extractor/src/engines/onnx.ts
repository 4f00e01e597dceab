// The `onnx` engine: ONNX Runtime, whose native library comes inside its npm package.
import { Refusal } from '../../../shared/src/errors.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import type { Engine, EngineOptions, Extractor, LoadOptions } from '../engine.ts';
import type { Layer } from '../layer-table.ts';
import { onnxReader } from '../models/onnx.ts';
import { type ChannelAxis, channelAxes } from '../models/onnx-channels.ts';
import { readOnnxFile } from '../models/onnx-file.ts';
import { type OnnxImageInput, requireImageInput } from '../models/onnx-input.ts';
import { toChannelsLast } from '../models/onnx-layout.ts';
import { describeGraph } from '../models/onnx-table.ts';
import { unknownLayer } from '../unknown-layer.ts';
import { loadCompiledExtractor } from './compiled-extractor.ts';
import { type InferenceSession, loadRuntime, type Runtime } from './onnx-runtime.ts';
import { bestRows, createSession, inputTensor } from './onnx-session.ts';
import { floatsOf } from './onnx-values.ts';
import { openRowExtractor } from './row-extractor.ts';

/**
 * Opens the engine. `threads` is the number of threads within one operator; by default one per core.
 * @throws Refusal `engine-unavailable`
 */
export async function openOnnxEngine(options: EngineOptions = {}): Promise<Engine> {
  const runtime = await loadRuntime();
  const versions = { 'onnxruntime-node': runtime.env.versions.node ?? runtime.env.versions.common };
  return { name: 'onnx', versions: () => versions, load: load => loadExtractor(runtime, load, options) };
}

/** ONNX files as they are; models of TensorFlow and Keras compiled. */
async function loadExtractor(runtime: Runtime, options: LoadOptions, engine: EngineOptions): Promise<Extractor> {
  if (await onnxReader.recognises(options.model)) return loadOnnxExtractor(runtime, options, engine);
  return loadCompiledExtractor(runtime, options, engine);
}

async function loadOnnxExtractor(runtime: Runtime, options: LoadOptions, engine: EngineOptions): Promise<Extractor> {
  const file = await readOnnxFile(options.model);
  const known = new Map(describeGraph(file.graph).layers.map(layer => [layer.name, layer] as const));
  requireLayers(known, options.layers);
  const input = requireImageInput(file, options.layers, options.inputShape);
  requireValues(known, options.layers);
  const tensors = options.layers.filter(name => name !== input.name);
  const session = tensors.length === 0 ? undefined : await createSession(runtime, file, tensors, engine);
  const runner: Runner = { runtime, session, input, layers: options.layers, axes: channelAxes(file.graph) };
  return openRowExtractor(
    {
      fixedRows: input.fixedRows,
      bestRows: bestRows(options.inputShape),
      runOnce: batch => runOnce(runner, batch),
      close: async () => session?.release(),
    },
    options,
  );
}

/** What stays the same over all batches. */
interface Runner {
  readonly runtime: Runtime;
  /** None where the input itself is all that is wanted. */
  readonly session: InferenceSession | undefined;
  readonly input: OnnxImageInput;
  readonly layers: readonly string[];
  readonly axes: ReadonlyMap<string, ChannelAxis>;
}

async function runOnce(runner: Runner, batch: TensorData): Promise<readonly TensorData[]> {
  const { session, input, runtime } = runner;
  const results = await session?.run({ [input.name]: inputTensor(runtime, input, batch) });
  return runner.layers.map(name => {
    if (name === input.name) return { ...batch, data: batch.data.slice() };
    const result = results?.[name];
    if (result === undefined) throw new Error(`Expected a value for layer '${name}'`);
    return channelsLast(floatsOf(name, result), result.dims, runner.axes.get(name));
  });
}

/** Features have their channels last, as in the other engines: pooling takes the same axes. What is not known stays. */
function channelsLast(data: Float32Array, dims: readonly number[], axis: ChannelAxis | undefined): TensorData {
  const [rows = 1, channels = 1, ...space] = dims;
  if (axis !== 'first' || space.length === 0)
    return { dtype: 'float32', shape: dims.length > 1 ? dims : [rows, 1], data };
  return {
    dtype: 'float32',
    shape: [rows, ...space, channels],
    data: toChannelsLast(data, rows, channels, sizeOfShape(space)),
  };
}

/** Refuses (`unknown-layer`) a name that is no layer. */
function requireLayers(known: ReadonlyMap<string, Layer>, layers: readonly string[]): void {
  const unknown = layers.find(name => !known.has(name));
  if (unknown !== undefined) throw unknownLayer(unknown, known.keys());
}

/** Refuses (`unknown-layer`) a layer whose values cannot be had. */
function requireValues(known: ReadonlyMap<string, Layer>, layers: readonly string[]): void {
  for (const name of layers) {
    const reason = known.get(name)?.unsupported;
    if (reason === undefined) continue;
    throw new Refusal('unknown-layer', `Expected a layer whose values can be had but '${name}' cannot: ${reason}`, {
      hint: 'Take another layer; `npx layertap layers MODEL` lists all.',
    });
  }
}
