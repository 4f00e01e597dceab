// The process of one case: opens the model, runs the engine on the reference's own input tensor, and prints the distances.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readNpyFile } from '../cli/src/certify/npy.ts';
import { distanceBetween } from '../extractor/src/agreement.ts';
import { openEngine } from '../extractor/src/engine.ts';
import { chooseEngine } from '../extractor/src/engine-choice.ts';
import { openModel } from '../extractor/src/model.ts';
import { describeError, Refusal } from '../shared/src/errors.ts';
import { sizeOfShape, type TensorData } from '../shared/src/tensor.ts';
import type { CaseReport, CaseTask } from './case.ts';
import { Reference } from './reference.ts';

/** Two images at a time: the largest networks hold gigabytes of activations per image. */
const BATCH = 2;

const task = JSON.parse(process.argv[2] ?? '') as CaseTask;
process.stdout.write(`\n${JSON.stringify(await report(task))}\n`);

async function report({ model: path, engine: name, reference: folder }: CaseTask): Promise<CaseReport> {
  const reference = Reference.parse(JSON.parse(await readFile(join(folder, 'reference.json'), 'utf8')));
  const names = reference.layers.map(layer => layer.name);
  const started = performance.now();
  try {
    const model = await openModel(path);
    const opened = performance.now();
    try {
      await chooseEngine(name, model);
    } catch (error) {
      if (error instanceof Refusal && error.code === 'bad-option') return { outcome: 'unclaimed' };
      throw error;
    }
    const engine = await openEngine(name, { cache: folder });
    const extractor = await engine.load({ model: model.path, layers: names, inputShape: reference.inputShape });
    const loaded = performance.now();
    const input = await readNpyFile(join(folder, 'input.npy'));
    const outputs = names.map(() => [] as Float32Array[]);
    const rows = input.shape[0] ?? 0;
    const size = sizeOfShape(reference.inputShape);
    for (let row = 0; row < rows; row += BATCH) {
      const count = Math.min(BATCH, rows - row);
      const data = Float32Array.from(input.data.subarray(row * size, (row + count) * size));
      const batch: TensorData = { dtype: 'float32', shape: [count, ...reference.inputShape], data };
      const tensors = await extractor.run(batch);
      tensors.forEach((tensor, index) => {
        outputs[index]?.push(tensor.data);
      });
    }
    const ran = performance.now();
    await extractor.close();
    const layers = [];
    for (const [index, layer] of reference.layers.entries()) {
      const wanted = await readNpyFile(join(folder, layer.file));
      const distance = distanceBetween(concatenate(outputs[index] ?? []), wanted.data, rows);
      const { cosine, relative } = distance ?? { cosine: -1, relative: Number.POSITIVE_INFINITY };
      layers.push({
        name: layer.name,
        className: layer.className,
        cosine,
        relative: Number.isFinite(relative) ? relative : null,
      });
    }
    const seconds = { open: opened - started, load: loaded - opened, run: ran - loaded };
    return {
      outcome: 'compared',
      layers,
      seconds: { open: seconds.open / 1000, load: seconds.load / 1000, run: seconds.run / 1000 },
      versions: { ...engine.versions() },
    };
  } catch (error) {
    if (error instanceof Refusal) return { outcome: 'refused', reason: describeError(error) };
    throw error;
  }
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
