// A model folder that came as a .zip, unpacked with bounds: nothing outside the folder, no more than an archive can hold.
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Entry, openPromise } from 'yauzl';
import { Refusal } from '../../shared/src/errors.ts';
import { makeFolders } from '../../shared/src/make-folders.ts';

const MAX_ENTRIES = 10_000;
/** Weights hardly compress: an archive that grows further is a bomb. */
const MAX_GROWTH = 20;
const GROWTH_ALLOWANCE_BYTES = 100_000_000;

/**
 * Unpacks into the folder `target`, which appears whole. A single folder inside the archive is the model's folder itself.
 * yauzl refuses names that leave the folder, and entries that hold more than they declare.
 * @throws Refusal `model-unreadable`
 */
export async function unzipModel(archive: string, target: string): Promise<void> {
  const bound = (await stat(archive)).size * MAX_GROWTH + GROWTH_ALLOWANCE_BYTES;
  const unpacked = `${target}.unpacked`;
  await mkdir(unpacked);
  let bytes = 0;
  let entries = 0;
  try {
    const zip = await openPromise(archive, { strictFileNames: true });
    for await (const entry of zip.eachEntry()) {
      bytes += entry.uncompressedSize;
      if (++entries > MAX_ENTRIES || bytes > bound) throw new Error(`it unpacks to more than ${bound} bytes`);
      if (isLink(entry)) throw new Error(`'${entry.fileName}' is a link`);
      const path = join(unpacked, entry.fileName);
      if (entry.fileName.endsWith('/')) {
        await makeFolders(path);
        continue;
      }
      await makeFolders(dirname(path));
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(path, { flags: 'wx' }));
    }
  } catch (error) {
    throw new Refusal('model-unreadable', 'Expected a .zip of a model folder but it cannot be unpacked', {
      cause: error,
      hint: 'Pack the folder anew, without links and without absolute names.',
    });
  }
  const [only, ...others] = await readdir(unpacked, { withFileTypes: true });
  const inner = only?.isDirectory() && others.length === 0 ? join(unpacked, only.name) : unpacked;
  await rename(inner, target);
}

/** The upper half of the attributes is the Unix mode. */
function isLink(entry: Entry): boolean {
  return ((entry.externalFileAttributes >>> 16) & 0o170000) === 0o120000;
}
