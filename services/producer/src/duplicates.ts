// Finds samples that may share one id among any number of samples, in bounded memory: for the producer's plan.
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, hasErrorCode, Refusal } from '../../../shared/src/errors.ts';
import { makeFolders } from '../../../shared/src/make-folders.ts';
import { hashInto } from './id-hash.ts';

export interface DuplicateFinderOptions {
  /** Where ids that do not fit into memory wait, as hashes; made when needed. */
  readonly spillDirectory: string;
  /**
   * Ids held in memory, 16 bytes each, before they are spilled.
   * @default 1,000,000
   */
  readonly memoryEntries?: number;
}

export interface DuplicateFinder {
  /** Notes the id of one row; a promise only where it spills, so that a million rows need no million awaits. */
  add(sampleId: string, row: number): void | Promise<void>;
  /**
   * Groups of rows whose 64-bit hashes are equal, each ascending; once all are added. They almost surely share one id,
   * but the caller must compare the ids themselves.
   */
  find(): AsyncIterable<readonly number[]>;
  /** Removes what was spilled. */
  close(): Promise<void>;
}

const BUCKETS = 256;
/** One entry: two 32-bit lanes of hash, then the row as a float64. */
const ENTRY_BYTES = 16;

export function createDuplicateFinder({
  spillDirectory,
  memoryEntries = 1_000_000,
}: DuplicateFinderOptions): DuplicateFinder {
  const entries = viewEntries(new ArrayBuffer(memoryEntries * ENTRY_BYTES));
  let count = 0;
  let directory: string | undefined;

  const spill = async (): Promise<string> => {
    try {
      directory ??= await makeDirectory(spillDirectory);
      for (const [bucket, bytes] of splitByBucket(entries, count)) await appendFile(join(directory, bucket), bytes);
      count = 0;
      return directory;
    } catch (cause) {
      throw new Refusal(
        'output-unwritable',
        `Expected to write sample hashes below "${spillDirectory}" but received ${describeError(cause)}`,
        { hint: 'Free some space, or make the directory writable.', cause },
      );
    }
  };

  return {
    add: (sampleId, row) => {
      hashInto(entries.lanes, count * 4, sampleId);
      entries.rows[count * 2 + 1] = row;
      count++;
      return count === memoryEntries ? spill().then(() => {}) : undefined;
    },
    find: async function* () {
      if (directory === undefined) {
        yield* groupEqual(entries, count);
        return;
      }
      const spilled = await spill();
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        const bytes = await readBucket(join(spilled, bucketName(bucket)));
        yield* groupEqual(viewEntries(bytes), bytes.byteLength / ENTRY_BYTES);
      }
    },
    close: async () => {
      if (directory !== undefined) await rm(directory, { recursive: true, force: true });
      directory = undefined;
      count = 0;
    },
  };
}

interface Entries {
  readonly bytes: Uint8Array;
  readonly lanes: Uint32Array;
  readonly rows: Float64Array;
}

function viewEntries(buffer: ArrayBuffer): Entries {
  return { bytes: new Uint8Array(buffer), lanes: new Uint32Array(buffer), rows: new Float64Array(buffer) };
}

/** Groups of two rows and more, in the order of their first rows. */
function groupEqual({ lanes, rows }: Entries, count: number): Iterable<readonly number[]> {
  const groups = new Map<bigint, number[]>(repeatedHashes(lanes, count).map(hash => [hash, []]));
  if (groups.size === 0) return [];
  const hashes = new BigUint64Array(lanes.buffer, lanes.byteOffset, count * 2);
  // Entries stand in the order of adding, so every group is ascending.
  for (let entry = 0; entry < count; entry++) groups.get(hashes[entry * 2] ?? 0n)?.push(rows[entry * 2 + 1] ?? 0);
  return [...groups.values()].sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
}

/** Hashes that occur more than once: equal ones are neighbours once sorted. */
function repeatedHashes(lanes: Uint32Array, count: number): bigint[] {
  const sorted = new BigUint64Array(count);
  const halves = new Uint32Array(sorted.buffer);
  for (let entry = 0; entry < count; entry++) {
    halves[entry * 2] = lanes[entry * 4] ?? 0;
    halves[entry * 2 + 1] = lanes[entry * 4 + 1] ?? 0;
  }
  sorted.sort();
  const repeated: bigint[] = [];
  for (let entry = 1; entry < count; entry++) {
    // Compared by halves: no BigInt is made for the many that differ.
    const equal = halves[entry * 2] === halves[entry * 2 - 2] && halves[entry * 2 + 1] === halves[entry * 2 - 1];
    const hash = sorted[entry];
    if (equal && hash !== undefined && repeated.at(-1) !== hash) repeated.push(hash);
  }
  return repeated;
}

function* splitByBucket({ bytes, lanes }: Entries, count: number): Generator<readonly [string, Uint8Array]> {
  const sizes = new Uint32Array(BUCKETS);
  for (let entry = 0; entry < count; entry++) sizes[bucketOf(lanes, entry)] = (sizes[bucketOf(lanes, entry)] ?? 0) + 1;
  const buckets = [...sizes].map(size => ({ content: new Uint8Array(size * ENTRY_BYTES), end: 0 }));
  for (let entry = 0; entry < count; entry++) {
    const bucket = buckets[bucketOf(lanes, entry)];
    if (bucket === undefined) continue;
    bucket.content.set(bytes.subarray(entry * ENTRY_BYTES, (entry + 1) * ENTRY_BYTES), bucket.end);
    bucket.end += ENTRY_BYTES;
  }
  for (const [index, { content }] of buckets.entries()) if (content.length > 0) yield [bucketName(index), content];
}

function bucketOf(lanes: Uint32Array, entry: number): number {
  return (lanes[entry * 4] ?? 0) >>> 24;
}

function bucketName(bucket: number): string {
  return `${String(bucket).padStart(3, '0')}.hashes`;
}

/** In an own subdirectory, so that what a killed run left behind is never read. */
async function makeDirectory(parent: string): Promise<string> {
  await makeFolders(parent);
  return mkdtemp(join(parent, 'duplicates-'));
}

async function readBucket(path: string): Promise<ArrayBuffer> {
  try {
    const bytes = await readFile(path);
    const buffer = new ArrayBuffer(bytes.byteLength);
    new Uint8Array(buffer).set(bytes);
    return buffer;
  } catch (error) {
    // No id fell into this bucket.
    if (hasErrorCode(error, 'ENOENT')) return new ArrayBuffer(0);
    throw error;
  }
}
