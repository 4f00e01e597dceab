// Pixels taken from the image as they are, row by row and column by column: the end of every nearest resize. For the kernels.
import type { Pixels } from './pixels.ts';

/** @param columns, rows positions in the image, one per column and row of the result */
export function pickPixels(image: Pixels, columns: Int32Array, rows: Int32Array): Pixels {
  const { channels, data } = image;
  const out = new Uint8Array(columns.length * rows.length * channels);
  let to = 0;
  for (const y of rows) {
    for (const x of columns) {
      const from = (y * image.width + x) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[from + c] as number;
    }
  }
  return { data: out, width: columns.length, height: rows.length, channels };
}
