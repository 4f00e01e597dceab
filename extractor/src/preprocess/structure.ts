// Finds damage that Pillow refuses and libvips lets pass, as it would give half-grey photos: for prepare-image.ts.
import { crc32 } from 'node:zlib';
import type { ImageFormat } from './format.ts';
import { COM, EOI, isFrame, isRestart, isScan, jpegSegments, MARKER, uint16 } from './jpeg-segments.ts';

/** The first damage in the file's structure, as a reason for a row; null when there is none or the decoder finds it. */
export function findDamage(bytes: Uint8Array, format: ImageFormat): string | null {
  if (format === 'jpeg') return findJpegDamage(bytes);
  if (format === 'png') return findPngDamage(bytes);
  return null;
}

const DRI = 0xdd;
const TEM = 0x01;

function findJpegDamage(bytes: Uint8Array): string | null {
  let components = 0;
  let sequential = false;
  let restarts = false;
  for (const { marker, at } of jpegSegments(bytes)) {
    if (marker < 0xc0) return `unknown JPEG marker 0x${marker.toString(16)}`;
    if (isFrame(marker)) {
      const bits = bytes[at + 4] ?? 0;
      components = bytes[at + 9] ?? 0;
      sequential = marker === 0xc0 || marker === 0xc1;
      if (bits !== 8) return `JPEG of ${bits} bits a channel`;
      if (components !== 1 && components !== 3 && components !== 4) return `JPEG of ${components} channels`;
    }
    if (marker === DRI) restarts = uint16(bytes, at + 4) > 0;
    // Every scan but a lone one is read to its end by the decoder itself.
    if (isScan(marker) && sequential && bytes[at + 4] === components) {
      return findTailDamage(bytes, at + 2 + uint16(bytes, at + 2), restarts);
    }
  }
  return null;
}

/**
 * After the only scan nothing but comments and the end may come. A flipped bit inside the scan often makes a marker, at
 * which libjpeg stops decoding, fills the rest with grey, and complains only to those who read on, as Pillow does.
 * Where there are restart intervals, libjpeg skips unknown markers on its way to the next restart.
 */
function findTailDamage(bytes: Uint8Array, scan: number, restarts: boolean): string | null {
  let at = bytes.indexOf(MARKER, scan);
  while (at !== -1 && at + 1 < bytes.length) {
    const marker = bytes[at + 1] as number;
    if (marker === EOI) return null;
    const isSegment = (marker >= 0xe0 && marker <= 0xef) || marker === COM || marker === 0xdc;
    if (isSegment) at += uint16(bytes, at + 2);
    else if (marker >= 0xc0 ? !isRestart(marker) && marker !== MARKER : marker > TEM && !restarts) {
      return `JPEG marker 0x${marker.toString(16)} in the image data`;
    }
    at = bytes.indexOf(MARKER, marker === MARKER ? at + 1 : at + 2);
  }
  return null;
}

/** Checksums of the chunks before the image data, which Pillow checks even where libpng only warns. */
function findPngDamage(bytes: Uint8Array): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 8;
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 8 + length;
    if (type === 'IDAT' || end + 4 > bytes.length) return null;
    if (crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) return `bad checksum of the PNG chunk ${type}`;
    at = end + 4;
  }
  return null;
}
