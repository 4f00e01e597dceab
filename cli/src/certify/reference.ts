// The reference features that a user made with Python: a .npy file aligned with a list of images, or a Parquet file with ids.
import { access, writeFile } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import type { Vector } from 'apache-arrow';
import type { Features } from '../../../extractor/src/feature-distance.ts';
import { describeError, Refusal } from '../../../shared/src/errors.ts';
import type { Sample } from '../../../shared/src/manifest.ts';
import { readParquet } from '../../../shared/src/parquet.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import { readNpyFile } from './npy.ts';

export interface Reference {
  readonly rows: number;
  /** Numbers in one row. */
  readonly size: number;
  /**
   * The features of a sample, or undefined where the reference has none.
   * @param row position of the sample in the source: what aligns a reference without ids
   */
  featuresOf(sample: Pick<Sample, 'sampleId' | 'uri'>, row: number): Features | undefined;
  /** Whether the rows can only be told by their order: then there must be as many as images. */
  readonly aligned: boolean;
  /** Where the images are, when the user does not say: a list beside the file, or the paths that it holds. */
  defaultImages(folder: string): Promise<string>;
}

/** @throws Refusal `source-unreadable` */
export async function openReference(path: string): Promise<Reference> {
  const extension = extname(path).toLowerCase();
  if (extension === '.npy') return openNpyReference(path);
  if (extension === '.parquet') return openParquetReference(path);
  throw new Refusal('bad-option', `Expected a .npy or .parquet file for --reference but received '${path}'`, {
    hint: 'docs/certify.md holds the Python script that makes one.',
  });
}

async function openNpyReference(path: string): Promise<Reference> {
  const { shape, data } = await readNpyFile(path);
  const [rows = 0, ...rest] = shape;
  if (shape.length < 2 || rows === 0) {
    throw new Refusal(
      'source-unreadable',
      `Expected shape (images, features …) but '${path}' has (${shape.join(', ')})`,
    );
  }
  const size = sizeOfShape(rest);
  return {
    rows,
    size,
    aligned: true,
    featuresOf: (_, row) => (row < rows ? data.subarray(row * size, (row + 1) * size) : undefined),
    defaultImages: () => findList(path),
  };
}

/** `features.npy` goes with `features.txt`, one path a line. */
async function findList(path: string): Promise<string> {
  const list = `${path.slice(0, -extname(path).length)}.txt`;
  try {
    await access(list);
    return list;
  } catch (cause) {
    throw new Refusal('bad-option', `Expected --images, or the list of the reference's images in '${list}'`, {
      hint: 'Give a folder, a glob or a list of images in the order of the rows of the .npy file.',
      cause,
    });
  }
}

const ID_COLUMNS = ['sample_id', 'path', 'uri'] as const;

async function openParquetReference(path: string): Promise<Reference> {
  const ids: string[] = [];
  const features: Features[] = [];
  let idColumn = '';
  for await (const batch of readBatches(path)) {
    const names = batch.schema.fields.map(({ name }) => name);
    idColumn = ID_COLUMNS.find(name => names.includes(name)) ?? '';
    const lists = batch.schema.fields.filter(({ type }) => type.children?.length === 1);
    const [list] = lists;
    if (idColumn === '' || list === undefined || lists.length > 1) {
      throw new Refusal(
        'source-unreadable',
        `Expected a column sample_id or path and one column of lists in '${path}' but received ${names.join(', ')}`,
      );
    }
    const idVector = batch.getChild(idColumn);
    const vector = batch.getChild(list.name);
    for (let row = 0; row < batch.numRows; row++) {
      ids.push(String(idVector?.get(row)));
      features.push(listAt(vector, row, path));
    }
  }
  const size = features[0]?.length ?? 0;
  const uneven = features.findIndex(row => row.length !== size);
  if (size === 0 || uneven !== -1) {
    const received =
      size === 0 ? 'no rows' : `${features[uneven]?.length} numbers for '${ids[uneven]}' and ${size} before`;
    throw new Refusal('source-unreadable', `Expected lists of one length in '${path}' but received ${received}`);
  }
  const rowOf = new Map(ids.map((id, row) => [id, row]));
  // A path in the file is seen from the file, as in any list.
  const rowOfPath = new Map(ids.map((id, row) => [resolve(dirname(path), id), row]));
  return {
    rows: ids.length,
    size,
    aligned: false,
    featuresOf: ({ sampleId, uri }) => features[rowOf.get(sampleId) ?? rowOfPath.get(uri) ?? -1],
    defaultImages: folder => writeList(idColumn, ids, path, folder),
  };
}

async function* readBatches(path: string): ReturnType<typeof readParquet> {
  try {
    yield* readParquet(path);
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    throw new Refusal('source-unreadable', `Expected a Parquet file at '${path}': ${describeError(cause)}`, { cause });
  }
}

function listAt(vector: Vector | null, row: number, path: string): Features {
  const value: unknown = vector?.get(row);
  const numbers: unknown = value !== null && typeof value === 'object' && 'toArray' in value ? toArray(value) : value;
  if (numbers instanceof Float32Array || numbers instanceof Float64Array) return numbers;
  throw new Refusal('source-unreadable', `Expected lists of float32 or float64 in '${path}', none of them null`);
}

function toArray(value: object): unknown {
  return 'toArray' in value && typeof value.toArray === 'function' ? value.toArray() : undefined;
}

async function writeList(column: string, ids: readonly string[], path: string, folder: string): Promise<string> {
  if (column === 'sample_id') {
    throw new Refusal('bad-option', `Expected --images: '${path}' has sample ids and no paths`, {
      hint: 'Give the folder, glob or list that the ids belong to.',
    });
  }
  const list = join(folder, 'images.jsonl');
  const lines = ids.map(id => JSON.stringify({ sample_id: id, path: resolve(dirname(path), id) }));
  await writeFile(list, `${lines.join('\n')}\n`);
  return list;
}
