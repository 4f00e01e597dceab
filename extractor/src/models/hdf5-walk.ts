// Walks an open HDF5 file into plain values, within bounds that its size sets. Runs in hdf5-thread.ts.
import type { Hdf5Attribute, Hdf5Dataset, Hdf5Group } from './hdf5-content.ts';
import type { Hdf5Metadata, OpenHdf5 } from './hdf5-library.ts';
import { numberType, readNumbers } from './hdf5-numbers.ts';

export interface WalkOptions {
  /** Size of the file. */
  readonly fileBytes: number;
  /** Read the numbers too, not only their shapes. */
  readonly data: boolean;
  /** Top-level groups that are left out, such as the optimizer's. */
  readonly without: readonly string[];
}

/** Groups in groups: Keras nests two a nested model. A look at one takes time by the square of its depth. */
const MAX_DEPTH = 32;

/** What the content may take once unpacked: a zeroed or pruned model compresses far better than a trained one. */
export const EXPANSION = { factor: 16, floorBytes: 64 * 2 ** 20 } as const;

/** Classes of types in HDF5's numbering. */
const STRING = 3;

/** @throws Error, in words that complete "but received …", for content that is damaged or out of bounds */
export function walkHdf5(hdf5: OpenHdf5, options: WalkOptions): Hdf5Group {
  const walk = new Walk(hdf5, options);
  return walk.group('', 0);
}

class Walk {
  readonly #hdf5: OpenHdf5;
  readonly #options: WalkOptions;
  /** The smallest object takes some 64 bytes; several links to one object count again. */
  #objectsLeft: number;
  #bytesLeft: number;

  constructor(hdf5: OpenHdf5, options: WalkOptions) {
    this.#hdf5 = hdf5;
    this.#options = options;
    this.#objectsLeft = 1000 + Math.floor(options.fileBytes / 64);
    this.#bytesLeft = EXPANSION.floorBytes + EXPANSION.factor * options.fileBytes;
  }

  group(path: string, depth: number): Hdf5Group {
    const { library, file, check } = this.#hdf5;
    if (depth > MAX_DEPTH) throw new Error(`groups nested deeper than ${MAX_DEPTH}`);
    const groups = new Map<string, Hdf5Group>();
    const datasets = new Map<string, Hdf5Dataset>();
    for (const name of check(() => library.get_names(file, `/${path}`, false))) {
      if (depth === 0 && this.#options.without.includes(name)) continue;
      const child = path === '' ? name : `${path}/${name}`;
      this.#count(child);
      this.#refuseLinks(child);
      const type = check(() => library.get_type(file, `/${child}`));
      if (type === 0) groups.set(name, this.group(child, depth + 1));
      else if (type === 1) datasets.set(name, this.#dataset(child));
    }
    return { path, attributes: this.#attributes(path), groups, datasets };
  }

  #count(path: string): void {
    this.#objectsLeft -= 1;
    if (this.#objectsLeft < 0) throw new Error(`more groups and datasets than its size allows, at ${path}`);
  }

  #spend(bytes: number, what: string): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft >= 0) return;
    const { factor, floorBytes } = EXPANSION;
    throw new Error(
      `content that unpacks to more than ${factor} times the file and ${floorBytes / 2 ** 20} MiB, at ${what}`,
    );
  }

  /** Keras writes none; they could lead out of the file or in a circle. */
  #refuseLinks(path: string): void {
    const { library, file, check } = this.#hdf5;
    const soft = check(() => library.get_symbolic_link(file, `/${path}`));
    const external = soft === null ? check(() => library.get_external_link(file, `/${path}`)).filename : undefined;
    if (soft !== null || external !== undefined) throw new Error(`a link to ${soft ?? external} at ${path}`);
  }

  #attributes(path: string): Map<string, Hdf5Attribute> {
    const { library, file, check } = this.#hdf5;
    const attributes = new Map<string, Hdf5Attribute>();
    for (const name of check(() => library.get_attribute_names(file, `/${path}`))) {
      const metadata = check(() => library.get_attribute_metadata(file, `/${path}`, name));
      const value = this.#attribute(path, name, metadata);
      if (value !== undefined) attributes.set(name, value);
    }
    return attributes;
  }

  #attribute(path: string, name: string, metadata: Hdf5Metadata): Hdf5Attribute | undefined {
    const { library, file, check } = this.#hdf5;
    const { shape, type, size, vlen, total_size: count } = metadata;
    const numbers = numberType(metadata);
    if (shape === null || (type !== STRING && numbers === undefined)) return undefined;
    this.#spend(size * count, `${path}@${name}`);
    const pointer = this.#allocate(size * count);
    try {
      check(() => library.get_attribute_data(file, `/${path}`, name, BigInt(pointer)));
      const bytes = library.HEAPU8.slice(pointer, pointer + size * count);
      const values: string[] | number[] =
        type === STRING ? this.#texts(bytes, size, vlen, `${path}@${name}`) : [...(numbers?.decode(bytes) ?? [])];
      // The thread ends with this file: what HDF5 allocated for texts of variable length need not be given back.
      return shape.length === 0 ? values[0] : values;
    } finally {
      library._free(pointer);
    }
  }

  /** Keras writes UTF-8 bytes whatever character set it declares. */
  #texts(bytes: Uint8Array, size: number, vlen: boolean, what: string): string[] {
    const decoder = new TextDecoder();
    if (!vlen) {
      return Array.from({ length: size === 0 ? 0 : bytes.byteLength / size }, (_, i) =>
        decoder.decode(untilNull(bytes.subarray(i * size, (i + 1) * size))),
      );
    }
    const heap = this.#hdf5.library.HEAPU8;
    return [...new Uint32Array(bytes.buffer)].map(start => {
      const text = start === 0 ? new Uint8Array() : untilNull(heap.subarray(start));
      this.#spend(text.byteLength, what);
      return decoder.decode(text);
    });
  }

  #dataset(path: string): Hdf5Dataset {
    const { library, file, check } = this.#hdf5;
    const metadata = check(() => library.get_dataset_metadata(file, `/${path}`));
    if (metadata.virtual_sources !== undefined) throw new Error(`a dataset kept in other files at ${path}`);
    const shape = metadata.shape ?? [0];
    // Only the types that h5py cannot name itself carry theirs as an attribute.
    const declared = metadata.size === 2 ? this.#attributes(path).get('dtype') : undefined;
    const type = numberType(metadata, typeof declared === 'string' ? declared : undefined);
    if (type === undefined) return { path, shape, dtype: 'other', data: undefined };
    const count = metadata.shape === null ? 0 : metadata.total_size;
    this.#spend(count * Math.max(4, metadata.size), path);
    const data = this.#options.data ? readNumbers(this.#hdf5, path, shape, metadata.size, type) : undefined;
    return { path, shape, dtype: type.name, data };
  }

  #allocate(bytes: number): number {
    const pointer = this.#hdf5.library._malloc(Math.max(1, bytes));
    if (pointer === 0) throw new Error(`${bytes} bytes in one piece, more than this file may take`);
    return pointer;
  }
}

function untilNull(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  // A copy: a decoder refuses memory that can grow.
  return bytes.slice(0, end === -1 ? bytes.byteLength : end);
}
