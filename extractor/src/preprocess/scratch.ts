// Memory for the pixels of one image on their way from the decoder to the input values, used again for the next image: a
// megabyte an image would be garbage otherwise, and a thread would collect it ten times a second. For the preprocessing.

/** 16 million pixels. What goes beyond it is memory of its own, and garbage. */
const MOST_BYTES = 48 * 1024 * 1024;

let memory = new ArrayBuffer(0);
let used = 0;
/** What the image would have taken. */
let wanted = 0;
let depth = 0;

/**
 * Runs `work`, from whose `scratchBytes` nothing may remain in use when it returns. Not for asynchronous work: other images
 * come in between.
 */
export function withScratch<T>(work: () => T): T {
  depth++;
  try {
    return work();
  } finally {
    if (--depth === 0) {
      if (wanted > memory.byteLength && wanted <= MOST_BYTES) memory = new ArrayBuffer(wanted);
      used = 0;
      wanted = 0;
    }
  }
}

/** Bytes of any content; outside of `withScratch` the caller's own for good. */
export function scratchBytes(length: number): Uint8Array {
  if (depth === 0) return new Uint8Array(length);
  const room = Math.ceil(length / 16) * 16;
  wanted += room;
  if (used + room > memory.byteLength) return new Uint8Array(length);
  used += room;
  return new Uint8Array(memory, used - room, length);
}

/** Whether the bytes lie in the memory that is used again. */
export function isScratch(bytes: Uint8Array): boolean {
  return bytes.buffer === memory;
}
