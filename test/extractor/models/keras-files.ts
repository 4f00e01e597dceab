// The committed model files that Keras wrote, and what Keras reads from them, for the tests of readers. Made by keras-files/make_keras_files.py.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll } from 'vitest';
import type { LayerWeights } from '../../../extractor/src/layer-graph.ts';
import type { KerasTree } from '../../../extractor/src/models/keras-tree.ts';

const FOLDER = fileURLToPath(new URL('./keras-files/', import.meta.url));

interface Golden {
  readonly tree: KerasTree;
  /** By path: shape and checksum of each of Keras' `layer.weights`. */
  readonly weights: { readonly [path: string]: readonly (readonly [readonly number[], number])[] };
}

export const GOLDEN = JSON.parse(readFileSync(`${FOLDER}golden.json`, 'utf8')) as { readonly [file: string]: Golden };

export function bytesOf(file: string): Buffer {
  return gunzipSync(readFileSync(`${FOLDER}${file}.gz`));
}

/** A folder that goes with the test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'layertap-keras-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Writes bytes to a file of that name; gives its path. */
export function writeTo(folder: string, name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** In the form of the goldens. */
export function summarise(weights: LayerWeights): Golden['weights'] {
  return Object.fromEntries(
    [...weights].map(([path, own]) => [path, own.map(({ shape, data }) => [shape, checksum(data)] as const)]),
  );
}

/** The sum of all values, each times its place's weight, so that a transposed or shifted array differs. */
function checksum(data: Float32Array | undefined): number {
  if (data === undefined) return Number.NaN;
  return data.reduce((sum, value, i) => sum + value * ((i % 97) + 1), 0);
}
