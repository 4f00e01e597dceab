// The header and palette of a BMP file, in every version that Pillow reads: for bmp.ts.
import { corrupt, type ReadResult, unsupported } from './read-result.ts';

/** Sizes of the header after the 14 bytes of the file header: OS/2 1, Windows 3, its two extensions, OS/2 2, Windows 4 and 5. */
export const BMP_HEADER_SIZES: readonly number[] = [12, 40, 52, 56, 64, 108, 124];

/** Which byte of a stored pixel is red, green, blue and alpha (null where it has none); or bits of a 16-bit pixel. */
export type BmpLayout =
  | { readonly kind: 'index'; readonly bits: 1 | 4 | 8 }
  | { readonly kind: 'bits'; readonly greenBits: 5 | 6 }
  | {
      readonly kind: 'bytes';
      readonly stride: 3 | 4;
      readonly rgb: readonly [number, number, number];
      readonly alpha: number | null;
    };

export interface BmpHeader {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly compression: 'none' | 'rle4' | 'rle8';
  readonly layout: BmpLayout;
  /** RGB triples; null where there is none, or where it is a grey ramp. */
  readonly palette: Uint8Array | null;
  /** Where the pixels begin. */
  readonly offset: number;
}

const COMPRESSIONS = ['none', 'rle8', 'rle4', 'bitfields'] as const;

/** Reads nothing but the header, so an image that claims to be huge costs nothing. */
export function readBmpHeader(bytes: Uint8Array): ReadResult<BmpHeader> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.length >= 18 ? view.getUint32(14, true) : 0;
  if (!BMP_HEADER_SIZES.includes(size)) return unsupported(`a BMP header of ${size} bytes`);
  if (bytes.length < 14 + size) return corrupt('the BMP header ends early');
  const old = size === 12;
  const topDown = !old && bytes[25] === 0xff;
  const width = old ? view.getUint16(18, true) : view.getUint32(18, true);
  const storedHeight = old ? view.getUint16(20, true) : view.getUint32(22, true);
  const height = topDown ? 2 ** 32 - storedHeight : storedHeight;
  if (width === 0 || height === 0) return corrupt(`a BMP of ${width}x${height} pixels`);
  const bits = view.getUint16(old ? 24 : 28, true);
  const code = old ? 0 : view.getUint32(30, true);
  const compression = COMPRESSIONS[code];
  if (compression === undefined) return unsupported(`BMP compression ${code}`);
  // Headers of 40 bytes have their masks behind them, longer ones inside.
  const masksEnd = compression === 'bitfields' && size < 52 ? 14 + size + 12 : 14 + size;
  if (bytes.length < masksEnd) return corrupt('the BMP header ends early');
  const layout = compression === 'bitfields' ? maskedLayout(view, size, bits) : plainLayout(bits);
  if (layout === null) return unsupported(`a BMP of ${bits} bits a pixel and ${compression} compression`);
  if (compression.startsWith('rle') && layout.kind !== 'index') return corrupt(`run lengths of ${bits} bits a pixel`);
  const offset = view.getUint32(10, true);
  const header = {
    width,
    height,
    topDown,
    compression: compression === 'bitfields' ? ('none' as const) : compression,
    layout,
  };
  if (layout.kind !== 'index') return { ok: true, value: { ...header, palette: null, offset: offset || masksEnd } };
  const entryBytes = old ? 3 : 4;
  const colours = (old ? 0 : view.getUint32(46, true)) || 2 ** layout.bits;
  if (colours > 65536) return unsupported(`a BMP palette of ${colours} colours`);
  const paletteEnd = masksEnd + colours * entryBytes;
  // Some writers count the palette out of the offset.
  const begin = offset === 0 || offset === 14 + size ? paletteEnd : offset;
  const palette = readPalette(bytes.subarray(masksEnd, paletteEnd), entryBytes);
  const isRamp = isGreyRamp(palette, colours, layout.bits);
  return { ok: true, value: { ...header, palette: isRamp ? null : palette, offset: begin } };
}

function plainLayout(bits: number): BmpLayout | null {
  if (bits === 1 || bits === 4 || bits === 8) return { kind: 'index', bits };
  if (bits === 16) return { kind: 'bits', greenBits: 5 };
  if (bits === 24) return { kind: 'bytes', stride: 3, rgb: [2, 1, 0], alpha: null };
  // The fourth byte is reserved: some writers leave it 0 for pixels that are meant to be seen.
  return bits === 32 ? { kind: 'bytes', stride: 4, rgb: [2, 1, 0], alpha: null } : null;
}

/** Masks of red, green, blue and alpha as Pillow knows them, with the bytes at which those stand. */
const MASKS_32: Readonly<Record<string, readonly [number, number, number, number | null]>> = {
  'ff0000 ff00 ff 0': [2, 1, 0, null],
  'ff000000 ff0000 ff00 0': [3, 2, 1, null],
  'ff000000 ff00 ff 0': [3, 1, 0, null],
  'ff000000 ff0000 ff00 ff': [3, 2, 1, 0],
  'ff ff00 ff0000 ff000000': [0, 1, 2, 3],
  'ff0000 ff00 ff ff000000': [2, 1, 0, 3],
  'ff000000 ff00 ff ff0000': [3, 1, 0, 2],
  '0 0 0 0': [2, 1, 0, 3],
};

function maskedLayout(view: DataView, size: number, bits: number): BmpLayout | null {
  const mask = (i: number): string => view.getUint32(54 + i * 4, true).toString(16);
  const rgb = `${mask(0)} ${mask(1)} ${mask(2)}`;
  if (bits === 16 && rgb === 'f800 7e0 1f') return { kind: 'bits', greenBits: 6 };
  if (bits === 16 && rgb === '7c00 3e0 1f') return { kind: 'bits', greenBits: 5 };
  if (bits === 24 && rgb === 'ff0000 ff00 ff') return plainLayout(24);
  // Only headers from 56 bytes on have a mask of alpha.
  const bytes = bits === 32 ? MASKS_32[`${rgb} ${size >= 56 ? mask(3) : '0'}`] : undefined;
  if (bytes === undefined) return null;
  return { kind: 'bytes', stride: 4, rgb: [bytes[0], bytes[1], bytes[2]], alpha: bytes[3] };
}

function readPalette(bytes: Uint8Array, entryBytes: number): Uint8Array {
  const palette = new Uint8Array(Math.floor(bytes.length / entryBytes) * 3);
  for (let i = 0; i < palette.length / 3; i++) {
    palette[i * 3] = bytes[i * entryBytes + 2] as number;
    palette[i * 3 + 1] = bytes[i * entryBytes + 1] as number;
    palette[i * 3 + 2] = bytes[i * entryBytes] as number;
  }
  return palette;
}

/** Whether colour i is grey level i, as in an 8-bit grey image, which stays one channel. */
function isGreyRamp(palette: Uint8Array, colours: number, bits: number): boolean {
  return (
    bits === 8 &&
    colours > 2 &&
    palette.length === colours * 3 &&
    palette.every((level, i) => level === Math.floor(i / 3))
  );
}
