// Finds TIFF files that libvips as shipped reads wrongly or not at all, by two tags of their first image: for prepare-image.ts.

/** Values of tag 259 that the decoder knows: none, CCITT, LZW, JPEG, deflate (two numbers) and PackBits. */
const COMPRESSIONS = new Set([1, 2, 3, 4, 5, 7, 8, 32773, 32946]);
const JPEG = 7;
/** Values of tag 262 that it gives as Pillow does: grey both ways, RGB, palette, a mask, CMYK; YCbCr inside JPEG only. */
const PHOTOMETRICS = new Set([0, 1, 2, 3, 4, 5]);
const YCBCR = 6;

/** Why the file is no TIFF that can be read; null where it is, or where its tags are damaged, which the decoder finds. */
export function findUnsupportedTiff(bytes: Uint8Array): string | null {
  const tags = readTags(bytes);
  const compression = tags.get(259) ?? 1;
  if (!COMPRESSIONS.has(compression)) return `TIFF compression ${compression}`;
  const photometric = tags.get(262);
  if (photometric === undefined || PHOTOMETRICS.has(photometric)) return null;
  if (photometric === YCBCR && compression === JPEG) return null;
  return `a TIFF of photometric interpretation ${photometric}`;
}

/** The values of the first directory's tags of type SHORT (3), which both of ours are, in classic and big TIFF. */
function readTags(bytes: Uint8Array): ReadonlyMap<number, number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const tags = new Map<number, number>();
  if (bytes.length < 16) return tags;
  const big = view.getUint16(2, little) === 43;
  const directory = big ? Number(view.getBigUint64(8, little)) : view.getUint32(4, little);
  const [countBytes, entryBytes, valueAt] = big ? [8, 20, 12] : [2, 12, 8];
  if (directory + countBytes > bytes.length) return tags;
  const count = big ? Number(view.getBigUint64(directory, little)) : view.getUint16(directory, little);
  for (let i = 0; i < count; i++) {
    const entry = directory + countBytes + i * entryBytes;
    if (entry + entryBytes > bytes.length) break;
    if (view.getUint16(entry + 2, little) !== 3) continue;
    tags.set(view.getUint16(entry, little), view.getUint16(entry + valueAt, little));
  }
  return tags;
}
