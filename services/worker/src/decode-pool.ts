// Threads that read, hash and prepare images beside the inference, which blocks the engine process: for read.ts.
// sharp's native library must stay loaded while a thread that uses it ends, so the first thread loads it as well.
import '../../../extractor/src/preprocess/decode.ts';
import { DEFAULT_IMAGE_LIMITS, type ImageLimits } from '../../../extractor/src/preprocess.ts';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';
import type { SampleFailure } from '../../../shared/src/errors.ts';
import type { InputSlot } from './batch-buffers.ts';
import { createPixelShares, type PixelShare, returnShare } from './pixel-budget.ts';
import { openThreadPool } from './thread-pool.ts';

export interface DecodeTask {
  /** Path of the image file. */
  readonly uri: string;
  /** What the models want of it, in shared memory: the image is decoded once. A failed image leaves anything in it. */
  readonly inputs: readonly InputSlot[];
}

export interface DecodedSample {
  /** Hex digest of the file's bytes; null when they could not be read. */
  readonly sha256: string | null;
  readonly result:
    | { readonly ok: true; readonly size: { readonly width: number; readonly height: number } }
    | { readonly ok: false; readonly failure: SampleFailure };
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
  /**
   * Decoded pixels in memory at a time over all threads, at 3 bytes each, or twice that where libvips turns or
   * deinterlaces an image; one of more than that is decoded alone. Each thread may have 16 million more, kept for
   * its next image or as garbage.
   * @default 134_217_728
   */
  readonly pixelsAtOnce?: number;
  /** Folders beyond which no image is read. @default anywhere */
  readonly allowRoots?: readonly string[] | undefined;
}

/** What each thread is given at its start. */
export interface DecodeSettings {
  readonly limits: ImageLimits;
  readonly share: PixelShare;
  readonly allowRoots: readonly string[] | undefined;
}

/** Eleven photos of 12 megapixels: more than libuv's four threads decode at a time. */
const PIXELS_AT_ONCE = 128 * 1024 * 1024;

export async function openDecodePool(options: DecodePoolOptions): Promise<DecodePool> {
  const { limits = DEFAULT_IMAGE_LIMITS, pixelsAtOnce = PIXELS_AT_ONCE } = options;
  const createShare = createPixelShares(pixelsAtOnce);
  const pool = await openThreadPool<DecodeTask, DecodedSample, DecodeSettings>({
    script: compiledUrl('./decode-thread.ts', import.meta.url),
    threads: options.threads,
    settings: () => ({ limits, share: createShare(), allowRoots: options.allowRoots }),
    onEnd: ({ share }) => returnShare(share),
  });
  return { prepare: task => pool.run(task), close: () => pool.close() };
}
