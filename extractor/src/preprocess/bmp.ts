// Reads Windows and OS/2 bitmaps (BMP) to the pixels that Pillow gives, which libvips as shipped cannot: for decode.ts.
import { type BmpHeader, readBmpHeader } from './bmp-header.ts';
import { unpackRle } from './bmp-rle.ts';
import { unpackRows } from './bmp-rows.ts';
import type { DecodedPixels } from './pixels.ts';
import type { ReadResult } from './read-result.ts';

export { readBmpHeader };

/** The pixels of a header that has been read: colour, or grey where the palette is a grey ramp. */
export function decodeBmp(bytes: Uint8Array, header: BmpHeader): ReadResult<DecodedPixels> {
  const { compression } = header;
  const stored =
    compression === 'rle4' || compression === 'rle8' ? unpackRle(bytes, header) : unpackRows(bytes, header);
  if (!stored.ok) return stored;
  const pixels = header.topDown ? stored.value : turnRows(stored.value);
  return { ok: true, value: pixels.channels === 1 ? applyPalette(pixels, header.palette) : pixels };
}

function turnRows(pixels: DecodedPixels): DecodedPixels {
  const { data, width, height, channels } = pixels;
  const rowLength = width * channels;
  const turned = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    turned.set(data.subarray(y * rowLength, (y + 1) * rowLength), (height - 1 - y) * rowLength);
  }
  return { ...pixels, data: turned };
}

/** Indices beyond the palette are black, as in Pillow; no palette stands for the grey ramp. */
function applyPalette(pixels: DecodedPixels, palette: Uint8Array | null): DecodedPixels {
  if (palette === null) return pixels;
  const { data, width, height } = pixels;
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0, to = 0; i < data.length; i++, to += 3) {
    const from = (data[i] as number) * 3;
    rgb[to] = palette[from] ?? 0;
    rgb[to + 1] = palette[from + 1] ?? 0;
    rgb[to + 2] = palette[from + 2] ?? 0;
  }
  return { data: rgb, width, height, channels: 3 };
}
