// The extractor of a compiled model on ONNX Runtime: everything has the shape that TensorFlow.js gives it already.
import { Refusal } from '../../../shared/src/errors.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import { CannotCompile } from '../compile/cannot-compile.ts';
import { compiledModel } from '../compile/compiled-model.ts';
import type { EngineOptions, Extractor, LoadOptions } from '../engine.ts';
import { identifyModel } from '../model.ts';
import type { Runtime } from './onnx-runtime.ts';
import { bestRows, createFileSession, takeable } from './onnx-session.ts';
import { openRowExtractor } from './row-extractor.ts';

/** @throws Refusal `engine-unavailable` where the model cannot be compiled, `model-unreadable`, `unknown-layer`, `recipe-mismatch` */
export async function loadCompiledExtractor(
  runtime: Runtime,
  options: LoadOptions,
  engine: EngineOptions,
): Promise<Extractor> {
  const session = await createFileSession(runtime, await compiledFile(options, engine), engine);
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
  return openRowExtractor({ runOnce, ...rows, close: () => session.release() }, options);
}

async function compiledFile(options: LoadOptions, { compiledFolder }: EngineOptions): Promise<string> {
  const sha256 = options.modelSha256 ?? (await identifyModel(options.model)).sha256;
  try {
    return await compiledModel({ ...options, sha256, folder: compiledFolder });
  } catch (cause) {
    if (!(cause instanceof CannotCompile)) throw cause;
    throw new Refusal(
      'engine-unavailable',
      `Expected a model that can be compiled for \`onnx\` in ${options.model} but ${cause.message}`,
      { hint: 'Take `--engine tensorflow` or `--engine auto`.', cause },
    );
  }
}
