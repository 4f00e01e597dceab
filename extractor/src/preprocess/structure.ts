// Finds damage that Pillow refuses and libvips lets pass, as it would give half-grey photos: for prepare-image.ts.
import { crc32 } from 'node:zlib';
import type { ImageFormat } from './format.ts';

/** The first damage in the file's structure, as a reason for a row; null when there is none or the decoder finds it. */
export function findDamage(bytes: Uint8Array, format: ImageFormat): string | null {
  if (format === 'jpeg') return findJpegDamage(bytes);
  if (format === 'png') return findPngDamage(bytes);
  return null;
}

const MARKER = 0xff;
const SOS = 0xda;
const EOI = 0xd9;
const DRI = 0xdd;
const TEM = 0x01;
const COM = 0xfe;

/** Marker segments up to the first scan (ITU-T T.81, annex B), as Pillow reads them. */
function findJpegDamage(bytes: Uint8Array): string | null {
  let components = 0;
  let sequential = false;
  let restarts = false;
  let at = 2;
  while (at + 4 <= bytes.length) {
    const marker = bytes[at + 1] as number;
    if (bytes[at] !== MARKER || marker === MARKER) {
      at += 1;
    } else if (marker === 0 || isBare(marker)) {
      at += 2;
    } else if (marker < 0xc0) {
      return `unknown JPEG marker 0x${marker.toString(16)}`;
    } else {
      if (isFrame(marker)) {
        const bits = bytes[at + 4] ?? 0;
        components = bytes[at + 9] ?? 0;
        sequential = marker === 0xc0 || marker === 0xc1;
        if (bits !== 8) return `JPEG of ${bits} bits a channel`;
        if (components !== 1 && components !== 3 && components !== 4) return `JPEG of ${components} channels`;
      }
      if (marker === DRI) restarts = uint16(bytes, at + 4) > 0;
      const end = at + 2 + uint16(bytes, at + 2);
      // Every scan but a lone one is read to its end by the decoder itself.
      if (marker === SOS)
        return sequential && bytes[at + 4] === components ? findTailDamage(bytes, end, restarts) : null;
      at = end;
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

/** Markers that Pillow passes over without a length: restarts, start and end, and reserved extensions. */
function isBare(marker: number): boolean {
  return marker === 0xc8 || (marker >= 0xd0 && marker <= EOI) || (marker >= 0xf0 && marker < COM);
}

function isRestart(marker: number): boolean {
  return marker >= 0xd0 && marker <= 0xd7;
}

function isFrame(marker: number): boolean {
  return (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xcc) || marker === 0xde;
}

function uint16(bytes: Uint8Array, at: number): number {
  return (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)) >>> 0;
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
