// What a worker tells its engine processes when it starts them: one JSON argument and the native libraries' environment.
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';
import type { WorkerOptions } from '../../../shared/src/extract-options.ts';

export const EngineProcessOptions = z.strictObject({
  /** Worker's name in receipts. */
  name: z.string(),
  decodeThreads: z.int().min(1),
  /** Threads of the native runtime; undefined leaves its own choice. */
  engineThreads: z.int().min(1).optional(),
});
export type EngineProcessOptions = z.output<typeof EngineProcessOptions>;

/** How to start the engine processes of a worker. `env` is what they inherit. */
export function engineProcessStart(
  options: WorkerOptions & { readonly name: string },
  env: Readonly<Record<string, string | undefined>>,
): {
  readonly script: URL;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
} {
  const threads = options.engineThreads;
  const settings: EngineProcessOptions = {
    name: options.name,
    decodeThreads: options.decodeThreads ?? Math.max(1, Math.floor(availableParallelism() / options.processes)),
    ...(threads === undefined ? {} : { engineThreads: threads }),
  };
  return {
    script: compiledUrl('./engine-process.ts', import.meta.url),
    args: [JSON.stringify(settings)],
    env: {
      // TensorFlow prints a dozen lines at every start otherwise.
      TF_CPP_MIN_LOG_LEVEL: '3',
      // tfjs-node has no call for its thread count; TensorFlow itself reads these.
      ...(threads === undefined ? {} : { TF_NUM_INTRAOP_THREADS: String(threads), TF_NUM_INTEROP_THREADS: '1' }),
      ...env,
    },
  };
}
