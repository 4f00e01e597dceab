// Unpacks the rows of an uncompressed BMP, in file order: for bmp.ts.
import type { BmpHeader, BmpLayout } from './bmp-header.ts';
import type { DecodedPixels } from './pixels.ts';
import { corrupt, type ReadResult } from './read-result.ts';

/** Rows are padded to 4 bytes, but the last one's padding may be missing. */
export function unpackRows(bytes: Uint8Array, header: BmpHeader): ReadResult<DecodedPixels> {
  const { width, height, layout, offset } = header;
  const rowBits = width * bitsOf(layout);
  const stride = Math.ceil(rowBits / 32) * 4;
  if (bytes.length < offset + (height - 1) * stride + Math.ceil(rowBits / 8)) return corrupt('the BMP rows end early');
  const channels = layout.kind === 'index' ? 1 : layout.kind === 'bytes' && layout.alpha !== null ? 4 : 3;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const row = bytes.subarray(offset + y * stride);
    const out = data.subarray(y * width * channels, (y + 1) * width * channels);
    if (layout.kind === 'index') unpackIndices(row, out, layout.bits);
    else if (layout.kind === 'bits') unpackBits(row, out, layout.greenBits);
    else unpackBytes(row, out, layout);
  }
  return { ok: true, value: { data, width, height, channels } };
}

function bitsOf(layout: BmpLayout): number {
  if (layout.kind === 'index') return layout.bits;
  return layout.kind === 'bits' ? 16 : layout.stride * 8;
}

/** The leftmost pixel is in the highest bits. */
function unpackIndices(row: Uint8Array, out: Uint8Array, bits: 1 | 4 | 8): void {
  const perByte = 8 / bits;
  const mask = 2 ** bits - 1;
  for (let x = 0; x < out.length; x++) {
    const shift = 8 - bits - (x % perByte) * bits;
    out[x] = ((row[Math.floor(x / perByte)] as number) >> shift) & mask;
  }
}

/** 5 or 6 bits spread over 0–255, cut down to whole levels as Pillow does. */
function unpackBits(row: Uint8Array, out: Uint8Array, greenBits: 5 | 6): void {
  const greenMask = 2 ** greenBits - 1;
  for (let x = 0, to = 0; to < out.length; x += 2, to += 3) {
    const pixel = (row[x] as number) | ((row[x + 1] as number) << 8);
    out[to] = Math.trunc((((pixel >> (5 + greenBits)) & 31) * 255) / 31);
    out[to + 1] = Math.trunc((((pixel >> 5) & greenMask) * 255) / greenMask);
    out[to + 2] = Math.trunc(((pixel & 31) * 255) / 31);
  }
}

function unpackBytes(row: Uint8Array, out: Uint8Array, layout: BmpLayout & { kind: 'bytes' }): void {
  const { stride, alpha } = layout;
  const [red, green, blue] = layout.rgb;
  const channels = alpha === null ? 3 : 4;
  for (let from = 0, to = 0; to < out.length; from += stride, to += channels) {
    out[to] = row[from + red] as number;
    out[to + 1] = row[from + green] as number;
    out[to + 2] = row[from + blue] as number;
    if (alpha !== null) out[to + 3] = row[from + alpha] as number;
  }
}
