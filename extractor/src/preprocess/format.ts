// Which raster format some bytes are, by their signature: only these may reach a decoder, for prepare-image.ts.
import { BMP_HEADER_SIZES } from './bmp-header.ts';

export const IMAGE_FORMATS = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif', 'bmp'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/**
 * The format, or null for everything else: libvips would also load SVG, PDF and whatever a system library adds,
 * each with its own parser and its own way to reach files, and none of them is a photo.
 */
export function sniffFormat(bytes: Uint8Array): ImageFormat | null {
  if (startsWith(bytes, [0xff, 0xd8, 0xff])) return 'jpeg';
  if (startsWith(bytes, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return 'png';
  const head = text(bytes, 0, 12);
  if (head.startsWith('GIF87a') || head.startsWith('GIF89a')) return 'gif';
  if (head.startsWith('RIFF') && head.slice(8) === 'WEBP') return 'webp';
  // 42 is classic TIFF, 43 BigTIFF.
  if (/^(II[*+]\0|MM\0[*+])/.test(head)) return 'tiff';
  if (head.slice(4, 8) === 'ftyp' && isAvif(bytes)) return 'avif';
  if (head.startsWith('BM') && isBmp(bytes)) return 'bmp';
  return null;
}

/** Two letters are no signature: the size of the header behind them is one of few. */
function isBmp(bytes: Uint8Array): boolean {
  if (bytes.length < 18) return false;
  const size = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(14, true);
  return BMP_HEADER_SIZES.includes(size);
}

/** ISO base media: the first box is `ftyp` with a major brand, a version and the compatible brands. */
function isAvif(bytes: Uint8Array): boolean {
  const size = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  const brands = text(bytes, 8, Math.min(size, 256));
  for (let at = 0; at + 4 <= brands.length; at += 4) {
    const brand = brands.slice(at, at + 4);
    if (at !== 4 && (brand === 'avif' || brand === 'avis')) return true;
  }
  return false;
}

function startsWith(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, i) => bytes[i] === byte);
}

function text(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}
