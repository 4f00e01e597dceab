// SHA-256 over the files of a model, read once, a piece at a time: for the readers.
import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';

const PIECE_BYTES = 1024 * 1024;

/**
 * Over the bytes of all files, in order. Hex.
 * @param start bytes that come before those of the files, where they are in memory already
 */
export async function digestFiles(paths: readonly string[], start: Uint8Array = new Uint8Array()): Promise<string> {
  const hash = createHash('sha256').update(start);
  for (const path of paths) await addFile(hash, path);
  return hash.digest('hex');
}

/** Reads the next piece while one is hashed, into the same two pieces of memory all the time. */
async function addFile(hash: Hash, path: string): Promise<void> {
  const file = await open(path);
  try {
    let [piece, other] = [Buffer.allocUnsafeSlow(PIECE_BYTES), Buffer.allocUnsafeSlow(PIECE_BYTES)];
    let reading = file.read(piece, 0, PIECE_BYTES);
    for (;;) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) return;
      reading = file.read(other, 0, PIECE_BYTES);
      hash.update(piece.subarray(0, bytesRead));
      [piece, other] = [other, piece];
    }
  } finally {
    await file.close();
  }
}
