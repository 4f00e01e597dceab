// Shapes of all layers of an ONNX model: files rarely hold them, and often wrong ones, so the model is run on zeros with
// every tensor as an output; twice where its input leaves height and width open, to see which axes move with them. For
// the child process of onnx-probe.ts.
import { describeError, Refusal } from '../../../shared/src/errors.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import { type ChannelAxis, channelAxes } from '../models/onnx-channels.ts';
import { inputsBehind } from '../models/onnx-dependencies.ts';
import { type OnnxFile, readOnnxFile } from '../models/onnx-file.ts';
import { type OnnxImageInput, requireImageInput } from '../models/onnx-input.ts';
import { imageLayout } from '../models/onnx-layout.ts';
import { describeGraph } from '../models/onnx-table.ts';
import type { ProbedLayer } from './onnx-probe.ts';
import { type InferenceSession, loadRuntime, type Runtime } from './onnx-runtime.ts';
import { createSession, inputTensor } from './onnx-session.ts';

/** Heights and widths to try where the file leaves them open. */
const SIZES = [
  [224, 224],
  [320, 320],
  [256, 256],
  [192, 192],
  [128, 128],
  [64, 64],
  [48, 192],
  [32, 32],
  [28, 28],
] as const;
/** Added for the second run; other axes must not take part by chance. */
const STEP = [64, 96] as const;
/** Outputs of one session: their values are held together until its run ends. */
const TENSORS_PER_SESSION = 256;
/** Outputs that come back from one run. */
const TENSORS_PER_RUN = 32;
/** Sessions in all, where tensors that the runtime cannot give must be found by halving. */
const MOST_SESSIONS = 64;

type Dims = ReadonlyMap<string, readonly number[] | { readonly reason: string }>;

/** @throws Refusal where the model cannot be read, or takes none of the sizes tried */
export async function shapesOfAllLayers(path: string): Promise<readonly ProbedLayer[]> {
  const file = await readOnnxFile(path);
  const runtime = await loadRuntime();
  const behind = inputsBehind(file.graph);
  const groups = new Map<string, string[]>();
  for (const layer of describeGraph(file.graph).layers) {
    const [input = ''] = behind.get(layer.name) ?? [];
    if (layer.unsupported !== undefined || layer.name === input) continue;
    groups.set(input, [...(groups.get(input) ?? []), layer.name]);
  }
  const probed: ProbedLayer[] = [];
  for (const [input, layers] of groups) probed.push(...(await probeGroup(runtime, file, input, layers)));
  return probed;
}

/** The layers that hang on one input. */
async function probeGroup(
  runtime: Runtime,
  file: OnnxFile,
  name: string,
  layers: readonly string[],
): Promise<readonly ProbedLayer[]> {
  const sessions = await openSessions(runtime, file, layers);
  try {
    const axes = channelAxes(file.graph);
    if (sessions.open.length === 0) {
      return layers.map(layer => describeLayer(layer, undefined, sessions.refused, sessions.refused));
    }
    const shapes = inputShapes(file, name);
    for (const shape of shapes) {
      const first = await runSessions(sessions, file, shape).catch(() => undefined);
      if (first === undefined) continue;
      const moved = moveOpenAxes(file, name, shape);
      const second = moved && (await runSessions(sessions, file, moved).catch(() => undefined));
      return layers.map(layer => describeLayer(layer, axes.get(layer), first, second ?? first));
    }
    const tried = shapes.map(shape => `[${shape.join(', ')}]`).join(', ');
    throw new Refusal('recipe-mismatch', `Expected '${name}' to take one of ${tried} but the model cannot`, {
      hint: 'Give its size with the recipe: shapes are known then.',
    });
  } finally {
    for (const { session } of sessions.open) await session.release();
  }
}

interface Sessions {
  readonly runtime: Runtime;
  readonly open: readonly { readonly session: InferenceSession; readonly layers: readonly string[] }[];
  /** Layers that the runtime cannot give, with the reason. */
  readonly refused: ReadonlyMap<string, { readonly reason: string }>;
}

/** Tensors of types that the runtime cannot hand out fail a whole session: halving finds them. */
async function openSessions(runtime: Runtime, file: OnnxFile, layers: readonly string[]): Promise<Sessions> {
  const open: { session: InferenceSession; layers: readonly string[] }[] = [];
  const refused = new Map<string, { reason: string }>();
  const waiting = chunksOf(layers, TENSORS_PER_SESSION);
  for (let tries = 0; waiting.length > 0; tries++) {
    const some = waiting.shift() ?? [];
    try {
      if (tries >= MOST_SESSIONS) throw new Error('too many layers of this model cannot be loaded');
      open.push({ session: await createSession(runtime, file, some, { optimise: false }), layers: some });
    } catch (error) {
      const isLast = some.length === 1 || tries >= MOST_SESSIONS;
      if (isLast) for (const layer of some) refused.set(layer, { reason: reasonOf(error) });
      else waiting.push(...chunksOf(some, Math.ceil(some.length / 2)));
    }
  }
  return { runtime, open, refused };
}

/** Two rows show which axis is the batch; a file that fixes one inside is run with one. */
async function runSessions(sessions: Sessions, file: OnnxFile, inputShape: readonly number[]): Promise<Dims> {
  const input = requireImageInput(
    file,
    sessions.open.flatMap(({ layers }) => layers),
    inputShape,
  );
  if (input.fixedRows !== undefined) return runRows(sessions, input, inputShape, input.fixedRows);
  return runRows(sessions, input, inputShape, 2).catch(() => runRows(sessions, input, inputShape, 1));
}

async function runRows(
  { runtime, open, refused }: Sessions,
  input: OnnxImageInput,
  inputShape: readonly number[],
  rows: number,
): Promise<Dims> {
  const dims = new Map<string, readonly number[] | { reason: string }>(refused);
  const batch = {
    dtype: 'float32',
    shape: [rows, ...inputShape],
    data: new Float32Array(rows * sizeOfShape(inputShape)),
  } as const;
  for (const { session, layers } of open) {
    const feeds = { [input.name]: inputTensor(runtime, input, batch) };
    // Fails where the model cannot take the size; after it, only what a tensor is can.
    await session.run(feeds, layers.slice(0, 1));
    for (const some of chunksOf(layers, TENSORS_PER_RUN)) {
      for (const [layer, found] of await fetchDims(session, feeds, some)) dims.set(layer, withRows(found, rows));
    }
  }
  return dims;
}

async function fetchDims(
  session: InferenceSession,
  feeds: InferenceSession.FeedsType,
  layers: readonly string[],
): Promise<readonly (readonly [string, readonly number[] | { reason: string }])[]> {
  try {
    const results = await session.run(feeds, [...layers]);
    return layers.map(layer => [layer, results[layer]?.dims ?? { reason: 'the runtime gives nothing' }]);
  } catch (error) {
    const [layer, ...others] = layers;
    if (layer === undefined) return [];
    if (others.length === 0) return [[layer, { reason: reasonOf(error) }]];
    const [left = [], right = []] = chunksOf(layers, Math.ceil(layers.length / 2));
    return [...(await fetchDims(session, feeds, left)), ...(await fetchDims(session, feeds, right))];
  }
}

function reasonOf(error: unknown): string {
  // The refusal of a session names the file; what the runtime said stands behind it.
  const said = error instanceof Refusal ? (error.cause ?? error) : error;
  return `the runtime cannot give it: ${describeError(said).replace(/\s+/g, ' ').slice(0, 300)}`;
}

/** Without the batch axis, which must have the rows that were given. */
function withRows(
  dims: readonly number[] | { readonly reason: string },
  rows: number,
): readonly number[] | { readonly reason: string } {
  if ('reason' in dims) return dims;
  const [first = 1, ...shape] = dims;
  if (first !== rows)
    return { reason: `it gives [${dims.join(', ')}] for ${rows} image${rows === 1 ? '' : 's'}, not one row per image` };
  return shape.length === 0 ? [1] : shape;
}

function describeLayer(name: string, axis: ChannelAxis | undefined, first: Dims, second: Dims): ProbedLayer {
  const [a = [], b = []] = [first.get(name), second.get(name)];
  if ('reason' in a) return { name, shape: [], unsupported: a.reason };
  const moving = 'reason' in b || b.length !== a.length ? a : a.map((size, at) => (size === b[at] ? size : null));
  const [channels = null, ...space] = moving;
  return { name, shape: axis === 'first' ? [...space, channels] : moving };
}

/** Shapes [height, width, channels] that the input may take, the likeliest first. */
function inputShapes(file: OnnxFile, name: string): readonly (readonly number[])[] {
  const [height, width, channels] = declaredShape(file, name);
  const shapes = SIZES.map(([h, w]) => [height ?? h, width ?? w, channels ?? 3]);
  const distinct = new Map(shapes.map(shape => [String(shape), shape] as const));
  return [...distinct.values()];
}

function moveOpenAxes(file: OnnxFile, name: string, shape: readonly number[]): readonly number[] | undefined {
  const [height, width] = declaredShape(file, name);
  if (height !== null && width !== null) return undefined;
  return shape.map((size, axis) => ([height, width][axis] === null ? size + (STEP[axis] ?? 0) : size));
}

function declaredShape(file: OnnxFile, name: string): readonly [number | null, number | null, number | null] {
  const input = file.graph.inputs.find(candidate => candidate.name === name);
  const image = input && imageLayout(file.graph, input);
  const [, a = null, b = null, c = null] = image?.shape ?? [];
  return image?.layout === 'nchw' ? [b, c, a] : [a, b, c];
}

function chunksOf<Item>(items: readonly Item[], size: number): (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
