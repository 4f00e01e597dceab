// The whole models whose files the fuzz damages, a few small ones of each format.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { filesBelow } from '../../support/files-below.ts';
import { type SaveOptions, saveSmallModel, smallModel, useCpu } from '../small-model.ts';

export const FUZZ_FORMATS = ['keras', 'keras-h5', 'tfjs-layers', 'tfjs-graph', 'saved-model', 'onnx'] as const;
export type FuzzFormat = (typeof FUZZ_FORMATS)[number];

export interface FuzzBase {
  readonly name: string;
  /** Relative path of what is opened; empty for the folder itself. */
  readonly model: string;
  /** Bytes by relative path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

const HERE = fileURLToPath(new URL('.', import.meta.url));

const BASES: Readonly<Record<FuzzFormat, readonly (() => Promise<FuzzBase>)[]>> = {
  keras: ['plain-k3.keras', 'plain-k2.keras', 'sequential-k3.keras'].map(kerasFile),
  'keras-h5': ['plain-k2.h5', 'plain-k3.h5', 'sequential-k2.h5'].map(kerasFile),
  'tfjs-layers': [
    tfjsLayers('in shards', { shardBytes: 700 }),
    tfjsLayers('uint8', { quantization: 'uint8' }),
    tfjsLayers('float16', { quantization: 'float16' }),
  ],
  'tfjs-graph': [folder('golden/small-graph-model')],
  'saved-model': ['keras3', 'keras2', 'branches', 'old-style'].map(name => folder(`golden/saved-models/${name}`)),
  onnx: [
    ...['torch-opset21.onnx', 'branches.onnx', 'whole-numbers.onnx', 'half.onnx'].map(name => onnxFiles([name])),
    onnxFiles(['external.onnx', 'parts/first.bin', 'second.bin']),
  ],
};

export function basesOf(format: FuzzFormat): Promise<readonly FuzzBase[]> {
  return Promise.all(BASES[format].map(read => read()));
}

function kerasFile(name: string): () => Promise<FuzzBase> {
  return async () => ({
    name,
    model: name,
    files: new Map([[name, gunzipSync(await readFile(join(HERE, 'keras-files', `${name}.gz`)))]]),
  });
}

function onnxFiles(names: readonly string[]): () => Promise<FuzzBase> {
  const [model = ''] = names;
  return async () => ({ name: model, model, files: await readFiles(join(HERE, 'golden/onnx'), names) });
}

function folder(path: string): () => Promise<FuzzBase> {
  return async () => ({
    name: path.slice(path.lastIndexOf('/') + 1),
    model: '',
    files: await readFolder(join(HERE, path)),
  });
}

function tfjsLayers(name: string, options: SaveOptions): () => Promise<FuzzBase> {
  return async () => {
    await useCpu();
    const saved = await mkdtemp(join(tmpdir(), 'layertap-fuzz-'));
    try {
      await saveSmallModel(smallModel(), saved, options);
      return { name, model: '', files: await readFolder(saved) };
    } finally {
      await rm(saved, { recursive: true });
    }
  };
}

async function readFolder(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
  return readFiles(
    path,
    (await filesBelow(path)).map(file => relative(path, file)),
  );
}

async function readFiles(from: string, names: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
  return new Map(await Promise.all(names.map(async name => [name, await readFile(join(from, name))] as const)));
}
