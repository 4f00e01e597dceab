// An extractor that takes a batch in smaller pieces once the memory did not suffice for the whole. For extractor-holder.ts.
import type { Extractor } from '../../../extractor/src/engine.ts';
import { runInPieces } from '../../../extractor/src/rows.ts';

export interface CarefulOptions {
  /** Rows at a time to begin with. */
  readonly mostRows: number;
  /** Told the new number of rows at a time. */
  readonly onHalved: (rows: number, error: Error) => void;
}

/** The size that was found stays for all batches to come. What a batch gives does not depend on it but for the last bits. */
export function openCarefulExtractor(extractor: Extractor, options: CarefulOptions): Extractor {
  let most = Math.max(1, options.mostRows);

  async function whileItFits<T>(wanted: number, action: (rows: number) => Promise<T>): Promise<T> {
    for (;;) {
      const rows = Math.min(most, wanted);
      try {
        return await action(rows);
      } catch (error) {
        if (!isOutOfMemory(error) || rows <= 1) throw error;
        most = Math.ceil(rows / 2);
        options.onHalved(most, error);
      }
    }
  }

  return {
    ...extractor,
    run: (batch, take) =>
      whileItFits(batch.shape[0] ?? 0, rows => runInPieces(batch, rows, piece => extractor.run(piece, take))),
    warmUp: batch => whileItFits(batch, rows => extractor.warmUp(rows)),
  };
}

/** The words of ONNX Runtime, TensorFlow, WebAssembly and V8 for it. */
const OUT_OF_MEMORY =
  /failed to allocate memory|bad_?alloc|out of memory|\bOOM\b|resource ?exhausted|could not allocate|allocation failed/i;

function isOutOfMemory(error: unknown): error is Error {
  return error instanceof Error && OUT_OF_MEMORY.test(error.message);
}
