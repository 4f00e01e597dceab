// Which extractor a TensorFlow.js backend takes for a model: by what its file holds. For both TensorFlow.js engines.
import type { Extractor, LoadOptions } from '../engine.ts';
import { isGraphModel } from '../models/tfjs-graph-model-files.ts';
import { loadGraphModelExtractor } from './graph-model-extractor.ts';
import { loadTfjsExtractor } from './tfjs-extractor.ts';

/** @throws Refusal `model-unreadable`, `unknown-layer`, `recipe-mismatch` */
export async function loadTfjs(backend: string, options: LoadOptions): Promise<Extractor> {
  if (await isGraphModel(options.model)) return loadGraphModelExtractor(backend, options);
  return loadTfjsExtractor(backend, options);
}
