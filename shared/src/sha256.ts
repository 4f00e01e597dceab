// The SHA-256 of a file that need not fit into memory. For verify, repair and the producer, which compare a file of a run with what is recorded of it.
import { createHash } from 'node:crypto';

/** Hex. Rejects where the pieces end with an error. */
export async function sha256Of(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}
