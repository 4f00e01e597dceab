// Finds the first frame of a GIF with its palette and transparency (GIF89a specification), as Pillow does: for gif.ts.
import type { Box } from './cut.ts';
import { corrupt, type ReadResult } from './read-result.ts';

export interface GifFrame {
  /** The screen, or as much more as the frame reaches beyond it. */
  readonly width: number;
  readonly height: number;
  /** Where the frame lies on it. */
  readonly box: Box;
  /** RGB triples; null where there is none, or where it is a grey ramp. */
  readonly palette: Uint8Array | null;
  readonly transparent: number | null;
  readonly interlaced: boolean;
  /** Where the code size and the blocks of data begin. */
  readonly dataOffset: number;
}

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const GRAPHIC_CONTROL = 0xf9;

export function findFirstFrame(bytes: Uint8Array): ReadResult<GifFrame> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 13) return corrupt('the GIF header ends early');
  const global = readPalette(bytes, 13, bytes[10] as number);
  let transparent: number | null = null;
  let at = global.end;
  while (at < bytes.length) {
    const introducer = bytes[at];
    if (introducer === EXTENSION) {
      if (bytes[at + 1] === GRAPHIC_CONTROL && (bytes[at + 2] ?? 0) >= 4) {
        if (((bytes[at + 3] ?? 0) & 1) === 1) transparent = bytes[at + 6] ?? null;
      }
      at = endOfBlocks(bytes, at + 2);
    } else if (introducer === IMAGE) {
      if (at + 11 > bytes.length) break;
      const box = {
        left: view.getUint16(at + 1, true),
        top: view.getUint16(at + 3, true),
        width: view.getUint16(at + 5, true),
        height: view.getUint16(at + 7, true),
      };
      const flags = bytes[at + 9] as number;
      const local = readPalette(bytes, at + 10, flags);
      const width = Math.max(view.getUint16(6, true), box.left + box.width);
      const height = Math.max(view.getUint16(8, true), box.top + box.height);
      if (width === 0 || height === 0) return corrupt(`a GIF of ${width}x${height} pixels`);
      const { palette } = (flags & 0x80) !== 0 ? local : global;
      const interlaced = (flags & 0x40) !== 0;
      return { ok: true, value: { width, height, box, palette, transparent, interlaced, dataOffset: local.end } };
    } else if (introducer === 0x3b) {
      break;
    } else {
      at += 1;
    }
  }
  return corrupt('the GIF holds no frame');
}

/** Present where the highest flag says so, of 2 to the power of the lowest three plus one colours. */
function readPalette(bytes: Uint8Array, at: number, flags: number): { palette: Uint8Array | null; end: number } {
  if ((flags & 0x80) === 0) return { palette: null, end: at };
  const end = at + 3 * 2 ** ((flags & 7) + 1);
  const palette = bytes.subarray(at, end);
  const isRamp = palette.every((level, i) => level === Math.floor(i / 3));
  return { palette: isRamp ? null : palette, end };
}

/** Blocks begin with their length and end with one of length 0. */
function endOfBlocks(bytes: Uint8Array, at: number): number {
  let next = at;
  while (next < bytes.length && bytes[next] !== 0) next += 1 + (bytes[next] as number);
  return next + 1;
}
