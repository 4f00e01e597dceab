// Shared memory for the input values of batches, used again and again: decoding threads write into it, nothing is copied or
// collected. For read.ts.

export type SharedValues = Float32Array<SharedArrayBuffer>;

export interface BatchBuffers {
  /** Values of any content. */
  take(length: number): SharedValues;
  /** What `take` gave, once nobody reads or writes it any more; whatever is never given back is collected. */
  giveBack(values: SharedValues): void;
}

/** Two shards are in hand, each with a batch at work and batches ahead. */
const KEPT = 6;

export function openBatchBuffers(): BatchBuffers {
  let free: SharedArrayBuffer[] = [];
  return {
    take(length): SharedValues {
      const bytes = length * Float32Array.BYTES_PER_ELEMENT;
      const buffer = free.find(({ byteLength }) => byteLength >= bytes) ?? new SharedArrayBuffer(bytes);
      free = free.filter(kept => kept !== buffer);
      return new Float32Array(buffer, 0, length);
    },
    giveBack({ buffer }): void {
      free = [buffer, ...free].slice(0, KEPT);
    },
  };
}
