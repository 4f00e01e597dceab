// Decodes plain JPEGs with libjpeg-turbo, as Pillow does: libvips comes without its vector code and takes three times as
// long. The shared library comes with a package and is called through an FFI. Where either is missing, and for every file
// that is in any way unusual, there is no answer, and libvips decides. For read-pixels.ts.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ImageHeader } from './decode.ts';
import { isPlainJpeg } from './jpeg-segments.ts';
import type { Pixels } from './pixels.ts';
import { scratchBytes } from './scratch.ts';

/** Both sides of the picture are divided by it while it is decoded, and rounded up. */
export type JpegShrink = 1 | 2 | 4 | 8;

/** Its version, for a file's metadata; undefined where it cannot be had. */
export function jpegTurboVersion(): string | undefined {
  return turbo()?.version;
}

/**
 * The pixels of a JPEG of one or three components, bit for bit what libvips and Pillow decode, not turned by EXIF.
 * Undefined where libjpeg-turbo has anything to say against the file, or sees another size than `header`.
 */
export function decodeJpeg(bytes: Uint8Array, header: ImageHeader, shrink: JpegShrink): Pixels | undefined {
  const channels = CHANNELS[header.space];
  if (channels === undefined || !isPlainJpeg(bytes)) return undefined;
  return turbo()?.decode(bytes, { width: header.width, height: header.height, channels }, shrink);
}

const CHANNELS: Readonly<Record<string, 1 | 3>> = { 'b-w': 1, srgb: 3 };

// Numbers of turbojpeg.h.
const DECOMPRESSOR = 1;
const STOP_ON_WARNING = 0;
const WIDTH = 5;
const HEIGHT = 6;
const SCAN_LIMIT = 13;
const PIXEL_FORMATS = { 1: 6, 3: 0 } as const;

/**
 * A progressive file may hold any number of scans, each of which takes as long as the picture is large, and nothing ends a
 * call. Encoders write about ten; what has more is left to libvips, which has a clock.
 */
const MAX_SCANS = 20;

type Decode = (bytes: Uint8Array, size: Omit<Pixels, 'data'>, shrink: JpegShrink) => Pixels | undefined;

interface Turbo {
  /** Of the package: the library does not tell its own. */
  readonly version: string;
  readonly decode: Decode;
}

let loaded: { readonly turbo: Turbo | undefined } | undefined;

/** Loaded with the first JPEG. */
function turbo(): Turbo | undefined {
  loaded ??= { turbo: load() };
  return loaded.turbo;
}

function load(): Turbo | undefined {
  const require = createRequire(import.meta.url);
  try {
    const description = require.resolve('@julusian/jpeg-turbo/package.json');
    const { version } = require(description) as { version: string };
    return { version, decode: bind(require('koffi') as typeof import('koffi'), sharedLibrary(dirname(description))) };
  } catch {
    return undefined;
  }
}

/** The package's builds for macOS and Windows have the library inside, where only its own binding reaches it. */
function sharedLibrary(place: string): string {
  const libc = existsSync('/etc/alpine-release') ? '-musl' : '';
  return join(place, 'prebuilds', `jpeg-turbo-linux-${process.arch}${libc}`, 'libturbojpeg.so.0');
}

function bind(koffi: typeof import('koffi'), path: string): Decode {
  const library = koffi.load(path);
  const init = library.func('void *tj3Init(int)');
  const destroy = library.func('void tj3Destroy(void *)');
  const set = library.func('int tj3Set(void *, int, int)');
  const get = library.func('int tj3Get(void *, int)');
  const factor = koffi.struct({ num: 'int', denom: 'int' });
  const setScale = library.func('tj3SetScalingFactor', 'int', ['void *', factor]);
  const readHeader = library.func('int tj3DecompressHeader(void *, const uint8_t *, size_t)');
  const decompress = library.func('int tj3Decompress8(void *, const uint8_t *, size_t, uint8_t *, int, int)');

  function open(): unknown {
    const opened: unknown = init(DECOMPRESSOR);
    if (opened === null) throw new Error('libjpeg-turbo has no memory for a decompressor');
    set(opened, STOP_ON_WARNING, 1);
    set(opened, SCAN_LIMIT, MAX_SCANS);
    return opened;
  }

  let handle = open();
  process.once('exit', () => destroy(handle));

  const decode: Decode = (bytes, { width, height, channels }, shrink) => {
    if (readHeader(handle, bytes, bytes.length) !== 0) return undefined;
    if (get(handle, WIDTH) !== width || get(handle, HEIGHT) !== height) return undefined;
    if (setScale(handle, { num: 1, denom: shrink }) !== 0) return undefined;
    const size = { width: Math.ceil(width / shrink), height: Math.ceil(height / shrink), channels };
    // The memory may hold another image: it is used only when every pixel has been written.
    const data = scratchBytes(size.width * size.height * channels);
    const isWhole = decompress(handle, bytes, bytes.length, data, 0, PIXEL_FORMATS[channels]) === 0;
    return isWhole ? { ...size, data } : undefined;
  };
  return (bytes, size, shrink) => {
    const pixels = decode(bytes, size, shrink);
    if (pixels === undefined) {
      // Some broken files leave a decompressor that refuses every file after them (seen with 3.1.2).
      destroy(handle);
      handle = open();
    }
    return pixels;
  };
}
