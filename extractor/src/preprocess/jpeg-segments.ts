// The marker segments of a JPEG up to its first scan (ITU-T T.81, annex B), and the size in its frame header. For
// structure.ts and read-pixels.ts.
import type { ImageHeader } from './decode.ts';

export const MARKER = 0xff;
export const EOI = 0xd9;
export const COM = 0xfe;
const SOS = 0xda;
const APP1 = 0xe1;
const EXIF = Buffer.from('Exif');

export interface JpegSegment {
  readonly marker: number;
  /** Offset of the marker; the length follows at `at + 2`, the content at `at + 4`. */
  readonly at: number;
}

/** As Pillow reads them: what stands between segments is passed over. The first scan's header is the last one. */
export function* jpegSegments(bytes: Uint8Array): Generator<JpegSegment> {
  let at = 2;
  while (at + 4 <= bytes.length) {
    const marker = bytes[at + 1] as number;
    if (bytes[at] !== MARKER || marker === MARKER) {
      at += 1;
    } else if (marker === 0 || isBare(marker)) {
      at += 2;
    } else {
      yield { marker, at };
      if (marker === SOS) return;
      at += 2 + uint16(bytes, at + 2);
    }
  }
}

export function isFrame(marker: number): boolean {
  return (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xcc) || marker === 0xde;
}

export function isScan(marker: number): boolean {
  return marker === SOS;
}

export function isRestart(marker: number): boolean {
  return marker >= 0xd0 && marker <= 0xd7;
}

/** Big-endian; what lies beyond the end counts as 0. */
export function uint16(bytes: Uint8Array, at: number): number {
  return (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)) >>> 0;
}

/** Markers that Pillow passes over without a length: restarts, start and end, and reserved extensions. */
function isBare(marker: number): boolean {
  return marker === 0xc8 || (marker >= 0xd0 && marker <= EOI) || (marker >= 0xf0 && marker < COM);
}

/** libvips' names of what JPEGs of so many components hold. */
const SPACES: Readonly<Record<number, string>> = { 1: 'b-w', 3: 'srgb', 4: 'cmyk' };

/**
 * What libvips would say of the file, at a hundredth of its cost; without the orientation, which stands in the EXIF data.
 * Undefined where the frame header is missing or leaves something open.
 */
export function readJpegHeader(bytes: Uint8Array): ImageHeader | undefined {
  for (const { marker, at } of jpegSegments(bytes)) {
    if (!isFrame(marker)) continue;
    const [height, width] = [uint16(bytes, at + 5), uint16(bytes, at + 7)];
    const space = SPACES[bytes[at + 9] ?? 0];
    if (height === 0 || width === 0 || space === undefined) return undefined;
    return { width, height, oriented: { width, height }, space, hasAlpha: false };
  }
  return undefined;
}

/** Sequential or progressive, Huffman-coded, 8 bits a sample: what every decoder of JPEG reads alike. */
export function isPlainJpeg(bytes: Uint8Array): boolean {
  for (const { marker, at } of jpegSegments(bytes)) {
    if (isFrame(marker)) return marker <= 0xc2 && bytes[at + 4] === 8;
  }
  return false;
}

/** True where an orientation may stand. */
export function hasExif(bytes: Uint8Array): boolean {
  for (const { marker, at } of jpegSegments(bytes)) {
    if (marker === APP1 && EXIF.every((byte, i) => bytes[at + 4 + i] === byte)) return true;
  }
  return false;
}
