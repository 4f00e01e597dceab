// Unpacks the run lengths of a BMP (RLE4 and RLE8) to palette indices, in file order: for bmp.ts.
import type { BmpHeader } from './bmp-header.ts';
import type { DecodedPixels } from './pixels.ts';
import { corrupt, type ReadResult } from './read-result.ts';

const END_OF_LINE = 0;
const END_OF_BITMAP = 1;
const DELTA = 2;

/** Pixels that a delta or the end of a line skips are 0; an image that ends early is damaged, as it is to Pillow. */
export function unpackRle(bytes: Uint8Array, header: BmpHeader): ReadResult<DecodedPixels> {
  const { width, height, offset } = header;
  const four = header.compression === 'rle4';
  const data = new Uint8Array(width * height);
  let at = offset;
  let to = 0;
  // Not to % width: a line may be full before its end is told, and takes no more then.
  let x = 0;
  while (to < data.length && at + 1 < bytes.length) {
    const count = bytes[at] as number;
    const value = bytes[at + 1] as number;
    at += 2;
    if (count > 0) {
      const fits = Math.min(Math.max(0, width - x), count, data.length - to);
      for (let i = 0; i < fits; i++) data[to++] = four ? nibble(value, i) : value;
      x += fits;
    } else if (value === END_OF_LINE) {
      to = Math.ceil(to / width) * width;
      x = 0;
    } else if (value === END_OF_BITMAP) {
      break;
    } else if (value === DELTA) {
      if (at + 2 > bytes.length) break;
      to = Math.min(data.length, to + (bytes[at] as number) + (bytes[at + 1] as number) * width);
      at += 2;
      x = to % width;
    } else {
      const pixels = Math.min(value, data.length - to);
      const length = four ? Math.ceil(pixels / 2) : pixels;
      if (at + length > bytes.length) break;
      for (let i = 0; i < pixels; i++) {
        data[to++] = four ? nibble(bytes[at + (i >> 1)] as number, i) : (bytes[at + i] as number);
      }
      x += value;
      // The next code begins at an even place in the file.
      at += length + ((at + length) % 2);
    }
  }
  if (to < data.length) return corrupt('the BMP run lengths end early');
  return { ok: true, value: { data, width, height, channels: 1 } };
}

/** The high half of the byte for even pixels, the low one for odd. */
function nibble(byte: number, i: number): number {
  return i % 2 === 0 ? byte >> 4 : byte & 15;
}
