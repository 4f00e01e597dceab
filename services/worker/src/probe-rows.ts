// Takes some rows of a shard as far as the engine, and publishes nothing: does the process live through them? For engine-process.ts.
import type { Extractor } from '../../../extractor/src/engine.ts';
import { inferBatch } from './process-shard.ts';
import type { DecodedBatch } from './read.ts';

export interface ProbeWork {
  readonly batches: AsyncIterable<DecodedBatch>;
  readonly extractors: readonly Extractor[];
  readonly signal: AbortSignal;
  readonly onBatch: () => void;
}

export async function probeRows({ batches, extractors, signal, onBatch }: ProbeWork): Promise<void> {
  for await (const batch of batches) {
    signal.throwIfAborted();
    await inferBatch(extractors, batch);
    onBatch();
  }
}
