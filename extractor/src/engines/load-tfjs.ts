// Which extractor a TensorFlow.js engine takes for a model: by what its file holds.
import type { Extractor, LoadOptions } from '../engine.ts';
import { openTfjsFile } from '../models/keras-formats.ts';
import { isSavedModel } from '../models/saved-model-files.ts';
import { loadGraphModelExtractor } from './graph-model-extractor.ts';
import { loadSavedModelExtractor, type SavedModelRuntime } from './saved-model-extractor.ts';
import { loadTfjsExtractor } from './tfjs-extractor.ts';

/** @throws Refusal `model-unreadable`, `unknown-layer`, `recipe-mismatch` */
export async function loadTfjs(backend: string, options: LoadOptions): Promise<Extractor> {
  const file = await openTfjsFile(options.model);
  return file.format === 'tfjs-graph'
    ? loadGraphModelExtractor(backend, file, options)
    : loadTfjsExtractor(backend, file, options);
}

/** On TensorFlow, which runs SavedModels too. @throws Refusal `model-unreadable`, `unknown-layer`, `recipe-mismatch` */
export async function loadTensorFlow(runtime: SavedModelRuntime, options: LoadOptions): Promise<Extractor> {
  if (await isSavedModel(options.model)) return loadSavedModelExtractor(runtime, options);
  return loadTfjs('tensorflow', options);
}
