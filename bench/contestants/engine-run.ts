// The process of engine-alone.ts: holds a few decoded batches ready and runs them through the warmed extractor in turn.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Extractor, openEngine } from '../../extractor/src/engine.ts';
import { poolFeature } from '../../extractor/src/pool.ts';
import { prepareImage } from '../../extractor/src/preprocess/prepare-image.ts';
import type { Recipe } from '../../shared/src/recipe.ts';
import { shapeOfRecipe } from '../../shared/src/recipe-shape.ts';
import type { EngineName } from '../../shared/src/request.ts';
import { sizeOfShape, type TensorData } from '../../shared/src/tensor.ts';

export interface EngineRunOptions {
  readonly model: string;
  readonly layer: string;
  readonly recipe: Recipe;
  readonly engine: EngineName;
  readonly batch: number;
  /** Batches to run. */
  readonly batches: number;
  /** Images that the ready batches are made of. */
  readonly images: readonly string[];
  /** Folder for the first batch and its pooled features. */
  readonly probe?: string;
}

const options = JSON.parse(process.argv[2] ?? '') as EngineRunOptions;
const inputShape = shapeOfRecipe(options.recipe);
const engine = await openEngine(options.engine);
const extractor = await engine.load({ model: options.model, layers: [options.layer], inputShape });
const ready = await readyBatches();
await extractor.warmUp(options.batch);

const started = performance.now();
for (let index = 0; index < options.batches; index++)
  await extractor.run(ready[index % ready.length] as TensorData, () => []);
const seconds = (performance.now() - started) / 1000;

if (options.probe !== undefined) await writeProbe(extractor, ready[0] as TensorData, options.probe);
await extractor.close();
const images = options.batches * options.batch;
process.stdout.write(`${JSON.stringify({ images, seconds, versions: engine.versions() })}\n`);

/** Whole batches: too few images are taken again from the first one on. */
async function readyBatches(): Promise<readonly TensorData[]> {
  const size = sizeOfShape(inputShape);
  const decoded: Float32Array[] = [];
  for (const path of options.images) {
    const result = await prepareImage(await readFile(path), options.recipe);
    if (!result.ok) throw new Error(`Expected a readable image but ${path}: ${result.failure.message}`);
    decoded.push(result.image.values);
  }
  return Array.from({ length: Math.ceil(decoded.length / options.batch) }, (_, batch) => {
    const data = new Float32Array(options.batch * size);
    for (let slot = 0; slot < options.batch; slot++) {
      data.set(decoded[(batch * options.batch + slot) % decoded.length] as Float32Array, slot * size);
    }
    return { dtype: 'float32', shape: [options.batch, ...inputShape], data };
  });
}

async function writeProbe(extractor: Extractor, input: TensorData, folder: string): Promise<void> {
  const [feature] = await extractor.run(input);
  if (feature === undefined) throw new Error('Expected one output of the extractor');
  const output = poolFeature(feature, 'mean');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'input.f32'), bytesOf(input));
  await writeFile(join(folder, 'output.f32'), bytesOf(output));
  await writeFile(join(folder, 'shapes.json'), JSON.stringify({ input: input.shape, output: output.shape }));
}

function bytesOf({ data }: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
