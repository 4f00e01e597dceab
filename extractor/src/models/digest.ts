// SHA-256 over the files of a model, read once, a piece at a time: for the readers.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/**
 * Over the bytes of all files, in order. Hex.
 * @param start bytes that come before those of the files, where they are in memory already
 */
export async function digestFiles(paths: readonly string[], start: Uint8Array = new Uint8Array()): Promise<string> {
  const hash = createHash('sha256').update(start);
  for (const path of paths) {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
