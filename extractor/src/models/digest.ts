// SHA-256 over the files of a model, read once, a piece at a time: for the readers.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** Over the bytes of all files, in order. Hex. */
export async function digestFiles(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
