// The extractor of TensorFlow SavedModels: a copy whose signature gives the wanted tensors, in a session of TensorFlow.
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { Refusal } from '../../../shared/src/errors.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import type { Extractor, LoadOptions } from '../engine.ts';
import { describeGraph } from '../models/graph-layers.ts';
import { requireGraphLayers } from '../models/graph-request.ts';
import { loadSavedModelGraph } from '../models/saved-model.ts';
import type { SavedModelFiles } from '../models/saved-model-files.ts';
import { IMAGE_KEY, outputKey, SIGNATURE, writeSavedModel } from '../models/saved-model-write.ts';
import { useBackend } from '../tfjs.ts';
import { fromTensorData, toTensorData } from '../tfjs-tensors.ts';
import { openRowExtractor } from './row-extractor.ts';

/** What of tfjs-node it needs: `tf.node`. */
export interface SavedModelRuntime {
  loadSavedModel(path: string, tags: string[], signature: string): Promise<SavedModelSession>;
}

interface SavedModelSession {
  predict(inputs: tf.NamedTensorMap): tf.Tensor | tf.Tensor[] | tf.NamedTensorMap;
  dispose(): void;
}

/** @throws Refusal `model-unreadable`, `unknown-layer`, `recipe-mismatch` */
export async function loadSavedModelExtractor(runtime: SavedModelRuntime, options: LoadOptions): Promise<Extractor> {
  useBackend('tensorflow');
  const { files, model } = await loadSavedModelGraph(options.model);
  const { table, tensors } = describeGraph(model.graph);
  requireGraphLayers(table, options.inputShape, options.layers);
  const image = model.graph.image;
  const wanted = options.layers.map(layer => tensors.get(layer) ?? { node: layer, output: 0 });
  const fetched = wanted.filter(({ node }) => node !== image.node);
  const session =
    fetched.length === 0 ? undefined : await loadCopy(runtime, files, model.meta.tags, writeSavedModel(model, fetched));
  const isFloat = image.elementType === 'DT_FLOAT';

  async function runOnce(batch: TensorData): Promise<readonly TensorData[]> {
    useBackend('tensorflow');
    const float = fromTensorData(batch);
    const input = isFloat ? float : float.cast('int32');
    let outputs: tf.NamedTensorMap = {};
    try {
      if (session !== undefined) outputs = session.predict({ [IMAGE_KEY]: input }) as tf.NamedTensorMap;
      let position = 0;
      return wanted.map(({ node }) => {
        if (node === image.node) return { ...batch, data: batch.data.slice() };
        const output = outputs[outputKey(position++)];
        if (output === undefined) throw new Error('Expected one output per layer but received fewer');
        return toTensorData(output);
      });
    } finally {
      for (const tensor of [...Object.values(outputs), float, input]) if (!tensor.isDisposed) tensor.dispose();
    }
  }

  const rows = image.shape?.[0] ?? undefined;
  return openRowExtractor({ runOnce, fixedRows: rows, close: async () => session?.dispose() }, options);
}

/** Loads the changed graph with the variables of the file; its folder is gone afterwards, the session holds all. */
async function loadCopy(
  runtime: SavedModelRuntime,
  files: SavedModelFiles,
  tags: readonly string[],
  graph: Uint8Array,
): Promise<SavedModelSession> {
  const folder = await mkdtemp(join(tmpdir(), 'layertap-saved-model-'));
  try {
    await writeFile(join(folder, 'saved_model.pb'), graph);
    for (const name of ['variables', 'assets']) {
      if (files.others.some(file => file.startsWith(name))) await symlink(join(files.folder, name), join(folder, name));
    }
    return await runtime.loadSavedModel(folder, [...tags], SIGNATURE);
  } catch (cause) {
    throw new Refusal('model-unreadable', `Expected a SavedModel that TensorFlow can load in ${files.folder}`, {
      hint: 'The files may be damaged, or hold an operation that TensorFlow lacks: copy or export the model again.',
      cause,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
