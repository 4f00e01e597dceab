// BMP files made byte by byte, in every header version and pixel format, for bmp.test.ts.

export interface BmpOptions {
  readonly width: number;
  /** Negative for rows from the top down. */
  readonly height: number;
  readonly bits: number;
  /** @default 40 */
  readonly headerSize?: number;
  /** 0 none, 1 RLE8, 2 RLE4, 3 bit fields. @default 0 */
  readonly compression?: number;
  /** RGB triples. @default none */
  readonly palette?: readonly (readonly [number, number, number])[];
  /** Of red, green, blue and alpha. */
  readonly masks?: readonly number[];
  /** Everything from the first row on. */
  readonly data: Uint8Array;
  /** What the header says where the pixels begin. @default where they do */
  readonly offset?: number;
}

export function makeBmp(options: BmpOptions): Buffer {
  const { width, height, bits, headerSize = 40, compression = 0, palette = [], masks = [], data } = options;
  const file = Buffer.alloc(14);
  file.write('BM', 'latin1');
  const header = Buffer.alloc(headerSize);
  header.writeUInt32LE(headerSize, 0);
  if (headerSize === 12) {
    header.writeUInt16LE(width, 4);
    header.writeUInt16LE(height, 6);
    header.writeUInt16LE(1, 8);
    header.writeUInt16LE(bits, 10);
  } else {
    header.writeUInt32LE(width, 4);
    header.writeInt32LE(height, 8);
    header.writeUInt16LE(1, 12);
    header.writeUInt16LE(bits, 14);
    header.writeUInt32LE(compression, 16);
    header.writeUInt32LE(palette.length, 32);
  }
  const extra = Buffer.alloc(headerSize < 52 && compression === 3 ? 12 : 0);
  for (const [i, mask] of masks.entries()) {
    if (headerSize >= 52 && 40 + i * 4 < headerSize) header.writeUInt32LE(mask, 40 + i * 4);
    else if (i < 3 && extra.length > 0) extra.writeUInt32LE(mask, i * 4);
  }
  const entries = palette.map(([r, g, b]) => Buffer.from(headerSize === 12 ? [b, g, r] : [b, g, r, 0]));
  const before = Buffer.concat([file, header, extra, ...entries]);
  before.writeUInt32LE(options.offset ?? before.length, 10);
  return Buffer.concat([before, data]);
}

/** Bytes that look random and are the same every time. */
export function noise(length: number, seed: number): Uint8Array {
  let state = seed >>> 0;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

export function rowBytes(width: number, bits: number): number {
  return Math.ceil((width * bits) / 32) * 4;
}

export function colours(count: number): (readonly [number, number, number])[] {
  const bytes = noise(count * 3, count);
  return Array.from({ length: count }, (_, i) => [bytes[i * 3] ?? 0, bytes[i * 3 + 1] ?? 0, bytes[i * 3 + 2] ?? 0]);
}
