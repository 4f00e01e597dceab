// The extractor of a compiled model on ONNX Runtime: everything has the shape that TensorFlow.js gives it already.
import { Refusal } from '../../../shared/src/errors.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import { CannotCompile } from '../compile/cannot-compile.ts';
import { compiledModel } from '../compile/compiled-model.ts';
import { type FetchedModel, fetchCompiled } from '../compile/fetch-compiled.ts';
import type { EngineOptions, Extractor, LoadOptions } from '../engine.ts';
import { identifyModel } from '../model.ts';
import type { Runtime } from './onnx-runtime.ts';
import { bestRows, createWholeSession, takeable } from './onnx-session.ts';
import { openRowExtractor } from './row-extractor.ts';

/**
 * @throws Refusal `engine-unavailable` where the model cannot be compiled, `conditions-differ` where it compiles to another file than
 * that of the run, `model-unreadable`, `unknown-layer`, `recipe-mismatch`, `cache-unwritable`
 */
export async function loadCompiledExtractor(
  runtime: Runtime,
  options: LoadOptions,
  engine: EngineOptions,
): Promise<Extractor> {
  const started = performance.now();
  const { content, from } = await fetchModel(options, engine);
  const origin = { from, seconds: (performance.now() - started) / 1000 };
  const session = await createWholeSession(runtime, content, options.model, engine);
  const [input = ''] = session.inputNames;
  const runOnce = async ({ data, shape }: TensorData): Promise<readonly TensorData[]> => {
    const results = await session.run({ [input]: new runtime.Tensor('float32', takeable(data), [...shape]) });
    return options.layers.map(name => {
      const result = results[name];
      if (result === undefined) throw new Error(`Expected a value for layer '${name}'`);
      const dims = result.dims.length > 1 ? result.dims : [...result.dims, 1];
      return { dtype: 'float32', shape: dims, data: result.data as Float32Array };
    });
  };
  const rows = { fixedRows: undefined, bestRows: bestRows(options.inputShape) };
  const extractor = await openRowExtractor({ runOnce, ...rows, close: () => session.release() }, options);
  return { ...extractor, origin };
}

async function fetchModel(options: LoadOptions, { cache }: EngineOptions): Promise<FetchedModel> {
  const sha256 = options.modelSha256 ?? (await identifyModel(options.model)).sha256;
  const asked = { ...options, sha256, cache };
  if (options.compiled !== undefined) return fetchCompiled(options.compiled, asked);
  try {
    const { content, isNew } = await compiledModel(asked);
    return { content, from: isNew ? 'compiler' : 'cache' };
  } catch (cause) {
    if (!(cause instanceof CannotCompile)) throw cause;
    throw new Refusal(
      'engine-unavailable',
      `Expected a model that can be compiled for \`onnx\` in ${options.model} but ${cause.message}`,
      { hint: 'Take `--engine tensorflow` or `--engine auto`.', cause },
    );
  }
}
