// A list of images that do not exist, and the request that looks at none of them: for what the flow costs by itself.
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const LINES_PER_CHUNK = 10_000;

/** Writes the list; gives the first arguments of `layertap extract`: 1,280 values a row. */
export async function nullRequest(list: string, rows: number): Promise<readonly string[]> {
  await pipeline(Readable.from(lines(rows)), createWriteStream(list));
  return [list, '--model', 'null:1280', '--layer', 'features', '--size', '8x8', '--scale', '1'];
}

function* lines(rows: number): Generator<string> {
  for (let first = 0; first < rows; first += LINES_PER_CHUNK) {
    const count = Math.min(LINES_PER_CHUNK, rows - first);
    const chunk = Array.from({ length: count }, (_, index) => `photos/${String(first + index).padStart(9, '0')}.jpg\n`);
    yield chunk.join('');
  }
}
