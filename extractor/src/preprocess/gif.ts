// Reads the first frame of a GIF with the colour of its transparent pixels, which libvips does not keep: for decode.ts.
import { findFirstFrame, type GifFrame } from './gif-frame.ts';
import { unpackLzw } from './gif-lzw.ts';
import type { DecodedPixels } from './pixels.ts';
import { corrupt, type ReadResult } from './read-result.ts';

export { findFirstFrame };

/** RGB, RGBA where a colour is transparent, or grey where Pillow takes the palette for a grey ramp. */
export function decodeGif(bytes: Uint8Array, frame: GifFrame): ReadResult<DecodedPixels> {
  const { width, height, box, palette, transparent } = frame;
  const stored = unpackLzw(bytes, frame.dataOffset, box.width * box.height);
  if (stored === null) return corrupt('the pixels of the GIF frame are damaged or end early');
  const indices = new Uint8Array(width * height).fill(transparent ?? 0);
  for (const [from, y] of rowOrder(box.height, frame.interlaced).entries()) {
    indices.set(stored.subarray(from * box.width, (from + 1) * box.width), (box.top + y) * width + box.left);
  }
  if (palette === null && transparent === null)
    return { ok: true, value: { data: indices, width, height, channels: 1 } };
  const channels = transparent === null ? 3 : 4;
  const data = new Uint8Array(width * height * channels);
  for (let i = 0, to = 0; i < indices.length; i++, to += channels) {
    const index = indices[i] as number;
    for (let c = 0; c < 3; c++) data[to + c] = palette === null ? index : (palette[index * 3 + c] ?? 0);
    if (channels === 4) data[to + 3] = index === transparent ? 0 : 255;
  }
  return { ok: true, value: { data, width, height, channels } };
}

/** Interlaced rows come in four passes: every 8th, every 8th from 4, every 4th from 2, every other from 1. */
function rowOrder(height: number, interlaced: boolean): readonly number[] {
  const passes = interlaced
    ? [
        [0, 8],
        [4, 8],
        [2, 4],
        [1, 2],
      ]
    : [[0, 1]];
  const rows: number[] = [];
  for (const [first = 0, step = 1] of passes) for (let y = first; y < height; y += step) rows.push(y);
  return rows;
}
