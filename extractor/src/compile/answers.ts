// The reference engine's answers to fixed images: recorded when a run is planned, compared by every worker with what the compiled
// model gives on its own processor. For decide-process.ts and the worker.
import type { CompiledAnswers, LayerAnswers } from '../../../shared/src/compiled-record.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import type { Recipe } from '../../../shared/src/recipe.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import { type Distance, judge } from '../agreement.ts';
import type { Extractor } from '../engine.ts';
import { compareFeatures, largestValue } from '../feature-distance.ts';
import { fixedImages } from './fixed-images.ts';

/** Images that answers are kept of. */
const MOST_ROWS = 2;
/** Characters of base64 in all answers of a model: run.json is read by every process. */
const MOST_CHARACTERS = 1_000_000;
/** Characters per value: 4 bytes in base64, and its padding. */
const CHARACTERS_PER_VALUE = 5.4;

/**
 * Keeps the answers of the first images.
 * @param outputs one tensor [rows, …shape] per layer
 * @param distances of the compiled model from these, per layer
 */
export function recordAnswers(
  engine: string,
  outputs: readonly TensorData[],
  distances: readonly Distance[],
): CompiledAnswers {
  const rows = Math.min(MOST_ROWS, outputs[0]?.shape[0] ?? 0);
  const most = Math.max(1, Math.floor(MOST_CHARACTERS / CHARACTERS_PER_VALUE / (rows * outputs.length)));
  const layers = outputs.map(({ data, shape }, index): LayerAnswers => {
    const size = data.length / (shape[0] ?? 1);
    const kept = Math.min(size, most);
    const values = sampleRows(data, rows, size, kept);
    const { cosine, relative } = distances[index] ?? { cosine: 1, relative: 0 };
    return {
      size,
      kept,
      largest: largestValue(data.filter(Number.isFinite)),
      cosine,
      relative,
      values: encodeFloats(values),
    };
  });
  return { engine, rows, layers };
}

/**
 * @throws Refusal `conditions-differ` where the compiled model gives other answers on this machine than where the run was planned
 */
export async function checkAnswers(
  extractor: Extractor,
  recipe: Recipe,
  { engine, rows, layers }: CompiledAnswers,
): Promise<void> {
  const outputs = await extractor.run(fixedImages(recipe, rows));
  for (const [index, answers] of layers.entries()) {
    const problem = differenceOf(outputs[index], rows, answers);
    if (problem === undefined) continue;
    const name = extractor.outputs[index]?.name ?? String(index);
    throw new Refusal(
      'conditions-differ',
      `Expected the compiled model to give the answers that ${engine} gave where the run was planned but '${name}' has a ${problem} on this machine`,
      {
        hint: 'Work on this run with machines whose processor gives the same numbers, or extract with another engine.',
      },
    );
  }
}

function differenceOf(output: TensorData | undefined, rows: number, answers: LayerAnswers): string | undefined {
  const { size, kept, largest, values } = answers;
  if (output === undefined || output.data.length !== rows * size) return 'different shape';
  const wanted = decodeFloats(values);
  if (wanted.length !== rows * kept) return 'recorded answer of another size';
  const given = sampleRows(output.data, rows, size, kept);
  // Masks hold infinities: equal ones are no difference, others are one beyond measure.
  for (const [index, value] of wanted.entries())
    if (!Number.isFinite(value) && Object.is(given[index], value)) given[index] = wanted[index] = 0;
  let [cosine, difference] = [1, 0];
  for (let row = 0; row < rows; row++) {
    const [from, to] = [row * kept, (row + 1) * kept];
    const reference = wanted.subarray(from, to);
    const distance = compareFeatures(given.subarray(from, to), reference);
    // A row of zeros has no direction.
    if (largestValue(reference) > 0) cosine = Math.min(cosine, distance.cosine);
    difference = Math.max(difference, distance.maxAbsDifference);
  }
  // Measured by the largest value of all, which may not be among those that were kept.
  return judge({ cosine, relative: difference === 0 ? 0 : difference / largest }, answers).reason;
}

function sampleRows(data: Float32Array, rows: number, size: number, kept: number): Float32Array {
  const values = new Float32Array(rows * kept);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < kept; i++)
      values[row * kept + i] = data[row * size + Math.floor((i * size) / kept)] ?? Number.NaN;
  return values;
}

function encodeFloats(values: Float32Array): string {
  const bytes = Buffer.alloc(values.length * Float32Array.BYTES_PER_ELEMENT);
  for (const [index, value] of values.entries()) bytes.writeFloatLE(value, index * Float32Array.BYTES_PER_ELEMENT);
  return bytes.toString('base64');
}

function decodeFloats(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  return Float32Array.from({ length: Math.floor(bytes.length / Float32Array.BYTES_PER_ELEMENT) }, (_, index) =>
    bytes.readFloatLE(index * Float32Array.BYTES_PER_ELEMENT),
  );
}
