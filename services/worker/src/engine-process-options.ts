// What a worker tells its engine processes when it starts them: one JSON argument and the native libraries' environment.
import { z } from 'zod';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';
import { type ExtractRequest, modelsOf } from '../../../shared/src/request.ts';
import type { Split } from './split-processors.ts';

export const EngineProcessOptions = z.strictObject({
  /** Worker's name in receipts. */
  name: z.string(),
  decodeThreads: z.int().min(1),
  /** Of the native runtime. */
  threads: z.int().min(1),
  /** Of the native runtime in a deterministic run: equal workers have as many, whatever memory they found. */
  deterministicThreads: z.int().min(1),
  takeTurns: z.boolean(),
  /** Folders beyond which nothing is read or written; anything goes where it is missing. */
  allowRoots: z.array(z.string()).optional(),
});
export type EngineProcessOptions = z.output<typeof EngineProcessOptions>;

/** How many threads the engines of a request use. TensorFlow's are fixed when its process starts. */
export function engineThreads(
  { threads, deterministicThreads }: Pick<EngineProcessOptions, 'threads' | 'deterministicThreads'>,
  request: ExtractRequest,
): number {
  const isFixed = modelsOf(request).some(({ engine }) => engine === 'tensorflow');
  return request.deterministic && !isFixed ? deterministicThreads : threads;
}

/** For the native libraries of an engine process; what the user has set wins. */
export const NATIVE_ENVIRONMENT: Readonly<Record<string, string>> = {
  // TensorFlow prints a dozen lines at every start otherwise.
  TF_CPP_MIN_LOG_LEVEL: '3',
  // glibc gives the memory of every decoded image back to the system otherwise and gets it anew, page by page: 150 page faults
  // an image and half a millisecond of 6.
  MALLOC_MMAP_THRESHOLD_: String(32 * 1024 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(256 * 1024 * 1024),
  // Pages of 2 MB where the system gives them on request: MobileNetV2 takes 0.93 of the processor time on ONNX Runtime, 0.75 on
  // TensorFlow, ResNet50 0.99 on ONNX Runtime.
  GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
  // One heap for all threads, of which one or two decode: 50 MB less in each process, and no more time.
  MALLOC_ARENA_MAX: '1',
};

/**
 * For the JavaScript of an engine process, whose processors the native work takes: a collection's helper threads only wait for
 * a turn on them, and what they help waits with them (4 % of all processor time). Its heap is small, so it is marked at once
 * instead of beside the work (3 %): nobody waits for an answer.
 */
export const NODE_FLAGS: readonly string[] = ['--single-threaded-gc', '--no-incremental-marking', '--v8-pool-size=1'];

/** How to start the engine processes of a worker. `env` is what they inherit. */
export function engineProcessStart(
  options: Pick<Split, 'threads' | 'decodeThreads' | 'takeTurns'> & {
    readonly deterministicThreads: number;
    readonly name: string;
    readonly allowRoot?: readonly string[] | undefined;
  },
  env: Readonly<Record<string, string | undefined>>,
): {
  readonly script: URL;
  readonly args: readonly string[];
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
} {
  const { name, threads, deterministicThreads, decodeThreads, takeTurns, allowRoot } = options;
  const settings: EngineProcessOptions = {
    ...{ name, threads, deterministicThreads, decodeThreads, takeTurns },
    ...(allowRoot && { allowRoots: [...allowRoot] }),
  };
  return {
    script: compiledUrl('./engine-process.ts', import.meta.url),
    args: [JSON.stringify(settings)],
    execArgv: NODE_FLAGS,
    env: {
      ...NATIVE_ENVIRONMENT,
      // tfjs-node has no call for its thread count; TensorFlow itself reads these.
      TF_NUM_INTRAOP_THREADS: String(threads),
      TF_NUM_INTEROP_THREADS: '1',
      ...env,
    },
  };
}
