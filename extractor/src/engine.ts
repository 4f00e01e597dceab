// The engine contract: a runtime that loads some layers of a model and runs batches. Implementations stand in engines/.
import type { EngineName } from '../../shared/src/request.ts';
import type { FeatureSpec, TensorData } from '../../shared/src/tensor.ts';
import type { CompiledSource, FetchedModel } from './compile/fetch-compiled.ts';
import type { InputBatch } from './input-batch.ts';

export interface LoadOptions {
  /** Absolute path of the model file or folder. */
  readonly model: string;
  /** Exact layer names, in the order of the outputs. */
  readonly layers: readonly string[];
  /** Shape of one input sample [height, width, channels]: fixes axes that the model leaves open. */
  readonly inputShape: readonly number[];
  /** Digest of the model's bytes where the caller knows it. */
  readonly modelSha256?: string;
  /** The compiled model of a run, for an engine that runs it compiled. @default from the cache, or compiled here */
  readonly compiled?: CompiledSource | undefined;
}

/** Makes what is wanted of the outputs of some rows: one row of each tensor for each of them. */
export type TakeOutputs = (outputs: readonly TensorData[]) => readonly TensorData[];

/** A warmed sub-model of one request on one engine. `run` may block the event loop. */
export interface Extractor {
  /** Shape of one input sample, without the batch axis. */
  readonly inputShape: readonly number[];
  /** One entry per wanted layer: name and shape without the batch axis. */
  readonly outputs: readonly FeatureSpec[];
  /** Runs one batch of zeros, so that the first real batch is as fast as the others. */
  warmUp(batch: number): Promise<void>;
  /**
   * @param input shape [rows, …inputShape]; of levels, the values are made a few rows at a time where the engine computes so
   * @param take is given the outputs, one tensor [some rows, …shape] per output, in order, as soon as they are there: they still
   * lie in the processor's cache, and a whole batch of them never exists
   * @returns what `take` gives, all rows joined. @default the outputs
   */
  run(input: InputBatch, take?: TakeOutputs): Promise<readonly TensorData[]>;
  close(): Promise<void>;
  /** Of a compiled model: where it came from, and the seconds that reading it and its digest took. */
  readonly origin?: { readonly from: FetchedModel['from']; readonly seconds: number } | undefined;
}

export interface Engine {
  readonly name: EngineName;
  /** Versions that can change a feature's last bits: for receipts. */
  versions(): Readonly<Record<string, string>>;
  load(options: LoadOptions): Promise<Extractor>;
}

/** Opens an engine, or refuses (`engine-unavailable`) with the reason and what to do. */
export type OpenEngine = (options: EngineOptions) => Promise<Engine>;

export interface EngineOptions {
  /** Threads of the native runtime; undefined leaves its own default. */
  readonly threads?: number;
  /** A cache for compiled models. @default that of this user */
  readonly cache?: string;
}

/** Loaded when opened: each brings a native library or a large runtime. */
const ENGINES: Readonly<Record<EngineName, () => Promise<OpenEngine>>> = {
  tensorflow: async () => (await import('./engines/tensorflow.ts')).openTensorFlowEngine,
  onnx: async () => (await import('./engines/onnx.ts')).openOnnxEngine,
  wasm: async () => (await import('./engines/wasm.ts')).openWasmEngine,
  null: async () => (await import('./engines/null.ts')).openNullEngine,
};

/**
 * Opens an engine by name.
 * @throws Refusal `engine-unavailable`, with the reason and what to do
 */
export async function openEngine(name: EngineName, options: EngineOptions = {}): Promise<Engine> {
  const open = await ENGINES[name]();
  return open(options);
}
