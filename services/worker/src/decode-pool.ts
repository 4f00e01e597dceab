// Threads that read, hash and prepare images beside the inference, which blocks the engine process: for read.ts.
// sharp's native library must stay loaded while a thread that uses it ends, so the first thread loads it as well.
import '../../../extractor/src/preprocess/decode.ts';
import { DEFAULT_IMAGE_LIMITS, type ImageLimits, type PrepareResult } from '../../../extractor/src/preprocess.ts';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';
import type { Recipe } from '../../../shared/src/recipe.ts';
import { openThreadPool } from './thread-pool.ts';

export interface DecodeTask {
  /** Path of the image file. */
  readonly uri: string;
  readonly recipe: Recipe;
}

export interface DecodedSample {
  /** Hex digest of the file's bytes; null when they could not be read. */
  readonly sha256: string | null;
  readonly result: PrepareResult;
  /** Wall time of each stage; stages of neighbouring images overlap. */
  readonly seconds: { readonly read: number; readonly decode: number };
}

export interface DecodePool {
  /** A bad image is a failed result; a rejection means that the pool failed and the task may be tried again. */
  prepare(task: DecodeTask): Promise<DecodedSample>;
  close(): Promise<void>;
}

export interface DecodePoolOptions {
  readonly threads: number;
  /** @default DEFAULT_IMAGE_LIMITS */
  readonly limits?: ImageLimits;
}

export async function openDecodePool(options: DecodePoolOptions): Promise<DecodePool> {
  const pool = await openThreadPool<DecodeTask, DecodedSample>({
    script: compiledUrl('./decode-thread.ts', import.meta.url),
    threads: options.threads,
    settings: options.limits ?? DEFAULT_IMAGE_LIMITS,
  });
  return { prepare: task => pool.run(task), close: () => pool.close() };
}
