// The `onnx` engine: ONNX Runtime, whose native library comes inside its npm package.
import type { InferenceSession } from 'onnxruntime-node';
import { nearestNames, Refusal } from '../../../shared/src/errors.ts';
import { type FeatureSpec, sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import type { Engine, EngineOptions, Extractor, LoadOptions } from '../engine.ts';
import type { Layer } from '../layer-table.ts';
import { type ChannelAxis, channelAxes } from '../models/onnx-channels.ts';
import { readOnnxFile } from '../models/onnx-file.ts';
import { type OnnxImageInput, requireImageInput } from '../models/onnx-input.ts';
import { toChannelsLast } from '../models/onnx-layout.ts';
import { describeGraph } from '../models/onnx-table.ts';
import { cutRows, joinRows, requireRows } from '../rows.ts';
import { createSession, inputTensor, loadRuntime, type Runtime } from './onnx-session.ts';
import { floatsOf } from './onnx-values.ts';

/**
 * Opens the engine. `threads` is the number of threads within one operator; by default one per core.
 * @throws Refusal `engine-unavailable`
 */
export async function openOnnxEngine(options: EngineOptions = {}): Promise<Engine> {
  const runtime = await loadRuntime();
  const versions = { 'onnxruntime-node': runtime.env.versions.node ?? runtime.env.versions.common };
  return { name: 'onnx', versions: () => versions, load: load => loadOnnxExtractor(runtime, load, options) };
}

async function loadOnnxExtractor(runtime: Runtime, options: LoadOptions, engine: EngineOptions): Promise<Extractor> {
  const file = await readOnnxFile(options.model);
  const known = new Map(describeGraph(file.graph).layers.map(layer => [layer.name, layer] as const));
  requireLayers(known, options.layers);
  const input = requireImageInput(file, options.layers, options.inputShape);
  requireValues(known, options.layers);
  const tensors = options.layers.filter(name => name !== input.name);
  const session = tensors.length === 0 ? undefined : await createSession(runtime, file, tensors, engine);
  let runner: Runner = {
    runtime,
    session,
    input,
    layers: options.layers,
    axes: channelAxes(file.graph),
  };
  let closed = false;

  async function run(batch: TensorData): Promise<readonly TensorData[]> {
    if (closed) throw new Error('Expected an open extractor but it was closed');
    requireRows(batch, options.inputShape);
    return runRows(runner, batch);
  }
  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    await session?.release();
  }

  try {
    const probed = await probe(runner, options);
    runner = probed.runner;
    const { outputs } = probed;
    const warmUp = async (batch: number): Promise<void> => void (await run(zeros([batch, ...options.inputShape])));
    return { inputShape: options.inputShape, outputs, run, warmUp, close };
  } catch (error) {
    await close();
    throw error;
  }
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

/** Any number of rows, also through a model whose file fixes how many it takes. */
async function runRows(runner: Runner, batch: TensorData): Promise<readonly TensorData[]> {
  const rows = batch.shape[0] ?? 0;
  const { fixedRows } = runner.input;
  if (fixedRows === undefined || fixedRows === rows) return runOnce(runner, batch);
  const parts: (readonly TensorData[])[] = [];
  for (let start = 0; start < rows; start += fixedRows) {
    const outputs = await runOnce(runner, cutRows(batch, start, fixedRows));
    parts.push(outputs.map(output => cutRows(output, 0, Math.min(fixedRows, rows - start))));
  }
  return runner.layers.map((_, layer) => joinRows(parts.flatMap(part => part[layer] ?? [])));
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

/** How many rows a run takes, and the shapes it gives: by running zeros. Two rows show which axis is the batch. */
async function probe(runner: Runner, options: LoadOptions): Promise<{ runner: Runner; outputs: FeatureSpec[] }> {
  const { fixedRows } = runner.input;
  try {
    return { runner, outputs: await probeOutputs(runner, options, fixedRows ?? 2) };
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    // The input says that it takes any number, but some exporters write 1 into a reshape inside.
    const single = { ...runner, input: { ...runner.input, fixedRows: 1 } };
    const outputs = fixedRows === undefined ? await probeOutputs(single, options, 1).catch(() => undefined) : undefined;
    if (outputs !== undefined) return { runner: single, outputs };
    const shape = options.inputShape.join(', ');
    throw new Refusal('recipe-mismatch', `Expected an input that the layers can take but received [${shape}]`, {
      cause,
    });
  }
}

async function probeOutputs(runner: Runner, { inputShape, layers }: LoadOptions, rows: number): Promise<FeatureSpec[]> {
  const outputs = await runOnce(runner, zeros([rows, ...inputShape]));
  return outputs.map(({ shape: [first, ...shape] }, index) => {
    const name = layers[index] ?? '';
    if (first === rows) return { name, dtype: 'float32', shape };
    const received = `[${[first, ...shape].join(', ')}] for ${rows}`;
    throw new Refusal('unknown-layer', `Expected a layer with one row per image but '${name}' gives ${received}`, {
      hint: 'Reshaped weights, shapes and the like are no features; take another layer.',
    });
  });
}

/** Refuses (`unknown-layer`) a name that is no layer. */
function requireLayers(known: ReadonlyMap<string, Layer>, layers: readonly string[]): void {
  const unknown = layers.find(name => !known.has(name));
  if (unknown === undefined) return;
  const nearest = nearestNames(unknown, [...known.keys()]).map(near => `'${near}'`);
  throw new Refusal('unknown-layer', `Expected the name of a layer but received '${unknown}'`, {
    hint: `The nearest names are ${nearest.join(', ')}; \`npx layertap layers MODEL\` lists all.`,
  });
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

function zeros(shape: readonly number[]): TensorData {
  return { dtype: 'float32', shape, data: new Float32Array(sizeOfShape(shape)) };
}
