// The broken files among the demo images: each must end as a failed row with a reason, and hurt no neighbour.
import { crc32, deflateSync } from 'node:zlib';
import { createRandom } from './random.ts';
import type { ShapeName } from './shapes.ts';

export interface BrokenImage {
  readonly shape: ShapeName;
  /** File name in the folder of its class. */
  readonly name: string;
  /** @param whole a whole JPEG, for those that are made by damaging one */
  bytes(whole: Uint8Array): Uint8Array;
}

export const BROKEN_IMAGES: readonly BrokenImage[] = [
  // Cut in the middle of its scan: the header is whole, so only decoding finds out.
  { shape: 'arrow', name: 'broken-truncated.jpg', bytes: whole => whole.subarray(0, Math.floor(whole.length * 0.6)) },
  { shape: 'circle', name: 'broken-empty.jpg', bytes: () => new Uint8Array() },
  { shape: 'heart', name: 'broken-text.jpg', bytes: () => new TextEncoder().encode('This is not an image.\n') },
  { shape: 'square', name: 'broken-huge.png', bytes: () => pngOfSize(60_000, 60_000) },
  { shape: 'triangle', name: 'broken-random.jpg', bytes: () => randomBytes(4096) },
];

/** A PNG that claims to be that large and holds almost nothing: opened carelessly, it would take all memory. */
function pngOfSize(width: number, height: number): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // 8 bits a channel, RGB
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const pixels = deflateSync(Buffer.alloc(1024));
  return Buffer.concat([
    signature,
    pngChunk('IHDR', header),
    pngChunk('IDAT', pixels),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Length, type, data and checksum: https://www.w3.org/TR/png-3/#5Chunk-layout */
function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}

function randomBytes(count: number): Uint8Array {
  const random = createRandom(count);
  return Uint8Array.from({ length: count }, () => random.integer(0, 255));
}
