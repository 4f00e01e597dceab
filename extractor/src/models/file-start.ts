// Whether a path is a file that begins with some bytes: how readers recognise their formats.
import { open } from 'node:fs/promises';

/**
 * @param signature first bytes, one character each; a file whose name fits counts without them, so that a damaged one is
 * refused by the reader it was meant for
 */
export async function startsWith(path: string, signature: string, name: RegExp): Promise<boolean> {
  const handle = await open(path).catch(() => undefined);
  if (handle === undefined) return false;
  try {
    if (!(await handle.stat()).isFile()) return false;
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(signature.length), 0, signature.length, 0);
    const begins = signature !== '' && bytesRead === signature.length && buffer.toString('latin1') === signature;
    return begins || name.test(path);
  } catch {
    return false;
  } finally {
    await handle.close();
  }
}
