// The child of decide-engine.ts: runs the same images on the reference engine and on the compiled model, compares what they
// give and how long they take, and says which one to take.
import type { Recipe } from '../../../shared/src/recipe.ts';
import { shapeOfRecipe } from '../../../shared/src/recipe-shape.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import { distanceBetween, judge } from '../agreement.ts';
import { answerProbe } from '../answer-probe.ts';
import { type Extractor, openEngine } from '../engine.ts';
import { toTensor } from '../preprocess/to-tensor.ts';
import { CannotCompile } from './cannot-compile.ts';
import { compiledModel } from './compiled-model.ts';
import type { Decision, DecisionQuestion } from './decide-engine.ts';

/** The wasm backend takes seconds for an image of a large model. */
const SLOW_ROWS = 1;
const MOST_ROWS = 16;
/** Measured over so many runs behind the first, the best of which counts. */
const RUNS = 3;

interface Measured {
  readonly outputs: readonly TensorData[];
  readonly milliseconds: number;
}

await answerProbe(async (question: DecisionQuestion): Promise<Decision> => {
  const { reference } = question;
  try {
    await compiledModel({ ...question, inputShape: shapeOfRecipe(question.recipe) });
  } catch (error) {
    if (!(error instanceof CannotCompile)) throw error;
    return { engine: reference, reason: `The model cannot be compiled: ${error.message}.` };
  }
  const rows = reference === 'wasm' ? SLOW_ROWS : Math.min(question.batch, MOST_ROWS);
  const images = noise(question.recipe, rows);
  const wanted = await measure(question, reference, images);
  const compiled = await measure(question, 'onnx', images);
  const problem = compare(question.layers, wanted.outputs, compiled.outputs, rows);
  if (problem !== undefined) return { engine: reference, reason: `The compiled model differs: ${problem}.` };
  const factor = wanted.milliseconds / compiled.milliseconds;
  const speed = `${factor.toFixed(1)} × as fast as ${reference}`;
  if (factor < 1) return { engine: reference, reason: `The compiled model agrees, but is only ${speed}.` };
  return { engine: 'onnx', reason: `Compiled; it gives the numbers of ${reference} and is ${speed} here.` };
});

async function measure(
  { model, sha256, layers, recipe }: DecisionQuestion,
  name: Decision['engine'],
  images: TensorData,
): Promise<Measured> {
  const engine = await openEngine(name);
  const extractor = await engine.load({ model, layers, inputShape: shapeOfRecipe(recipe), modelSha256: sha256 });
  try {
    const outputs = await extractor.run(images);
    let milliseconds = Number.POSITIVE_INFINITY;
    for (let run = 0; run < RUNS; run++) milliseconds = Math.min(milliseconds, await timeOf(extractor, images));
    return { outputs, milliseconds };
  } finally {
    await extractor.close();
  }
}

async function timeOf(extractor: Extractor, images: TensorData): Promise<number> {
  const started = performance.now();
  await extractor.run(images);
  return performance.now() - started;
}

function compare(
  layers: readonly string[],
  wanted: readonly TensorData[],
  given: readonly TensorData[],
  rows: number,
): string | undefined {
  for (const [index, layer] of layers.entries()) {
    const [reference, compiled] = [wanted[index], given[index]];
    const distance = reference && compiled && distanceBetween(compiled.data, reference.data, rows);
    if (distance === undefined) return `'${layer}' has another shape`;
    const { reason } = judge(distance);
    if (reason !== undefined) return `'${layer}' has a ${reason}`;
  }
  return undefined;
}

/** Pictures of large and small structures, the same ones each time: pure noise lets batch normalisations die out. */
function noise(recipe: Recipe, rows: number): TensorData {
  const { width, height } = recipe;
  const channels = recipe.channels === 'gray' ? 1 : 3;
  let state = 1;
  const below = (end: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 16) % end;
  };
  const images = Array.from({ length: rows }, () => {
    const data = new Uint8Array(width * height * channels);
    const waves = Array.from({ length: channels }, () => [1 + below(7), 1 + below(7), below(64)] as const);
    for (let pixel = 0; pixel < width * height; pixel++) {
      const [x, y] = [(pixel % width) / width, Math.floor(pixel / width) / height];
      for (const [channel, [across, down, shift]] of waves.entries()) {
        const wave = Math.sin(6.28 * (across * x + down * y) + shift);
        data[pixel * channels + channel] = Math.min(255, Math.max(0, 128 + 90 * wave + below(64) - 32));
      }
    }
    return { data, width, height, channels } as const;
  });
  const shape = [rows, height, width, channels];
  const values = new Float32Array(sizeOfShape(shape));
  images.forEach((image, row) => {
    const { length } = image.data;
    toTensor(image, recipe, values.subarray(row * length, (row + 1) * length));
  });
  return { dtype: 'float32', shape, data: values };
}
