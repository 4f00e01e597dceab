// The child of decide-engine.ts: runs the same images on the reference engine and on the compiled model, compares what they
// give and how long they take, and says which one to take.
import type { CompiledAnswers, CompiledRecord } from '../../../shared/src/compiled-record.ts';
import { shapeOfRecipe } from '../../../shared/src/recipe-shape.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import { type Distance, distanceBetween, judge } from '../agreement.ts';
import { answerProbe } from '../answer-probe.ts';
import { type Extractor, openEngine } from '../engine.ts';
import { recordAnswers } from './answers.ts';
import type { Decision, DecisionQuestion } from './decide-engine.ts';
import { fixedImages } from './fixed-images.ts';
import { slowerThanCompiled } from './slower-engine.ts';

/** The wasm backend takes seconds for an image of a large model. */
const SLOW_ROWS = 1;
const MOST_ROWS = 16;
/** For the answers alone. */
const NAMED_ROWS = 2;
/** Measured over so many runs behind the first, the best of which counts. */
const RUNS = 3;

interface Measured {
  readonly outputs: readonly TensorData[];
  readonly milliseconds: number;
}

await answerProbe(async (question: DecisionQuestion): Promise<Decision> => {
  const { reference, wanted } = question;
  const named = wanted === 'onnx';
  const record = (answers: CompiledAnswers): CompiledRecord => ({ ...question.compiled, answers });
  const rows = reference === 'wasm' ? SLOW_ROWS : Math.min(question.batch, named ? NAMED_ROWS : MOST_ROWS);
  const images = fixedImages(question.recipe, rows);
  const compiled = await measure(question, 'onnx', images);
  const answers = recordAnswers('onnx', compiled.outputs, []);
  if (reference === undefined) return { engine: 'onnx', reason: 'It was asked for.', compiled: record(answers) };
  const given = await measure(question, reference, images);
  const { distances, problem } = compare(question.layers, given.outputs, compiled.outputs, rows);
  const factor = given.milliseconds / compiled.milliseconds;
  const speed = `${factor.toFixed(1)} × as fast as ${reference}`;
  if (problem !== undefined && named) {
    const warning = `The compiled model was asked for although it differs from ${reference}: ${problem}.`;
    return { engine: 'onnx', reason: 'It was asked for.', warning, compiled: record(answers) };
  }
  if (problem !== undefined) {
    const reason = `The compiled model differs from ${reference}: ${problem}.`;
    if (factor < 1) return { engine: reference, reason };
    return { engine: reference, reason, warning: slowerThanCompiled(reference, reason, factor) };
  }
  if (factor < 1 && !named) {
    return { engine: reference, reason: `The compiled model agrees, but is only ${speed}.` };
  }
  return {
    engine: 'onnx',
    reason: named ? 'It was asked for.' : `Compiled; it gives the numbers of ${reference} and is ${speed} here.`,
    compiled: record(recordAnswers(reference, given.outputs, distances)),
  };
});

async function measure(
  { model, sha256, layers, recipe, compiled: record }: DecisionQuestion,
  name: Decision['engine'],
  images: TensorData,
): Promise<Measured> {
  const engine = await openEngine(name);
  const compiled = { record, open: async () => undefined };
  const inputShape = shapeOfRecipe(recipe);
  const extractor = await engine.load({ model, layers, inputShape, modelSha256: sha256, compiled });
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

/** What the user should know before features differ; distances as far as layers agree. */
function compare(
  layers: readonly string[],
  wanted: readonly TensorData[],
  given: readonly TensorData[],
  rows: number,
): { readonly distances: readonly Distance[]; readonly problem: string | undefined } {
  const distances: Distance[] = [];
  for (const [index, layer] of layers.entries()) {
    const [reference, compiled] = [wanted[index], given[index]];
    const distance = reference && compiled && distanceBetween(compiled.data, reference.data, rows);
    if (distance === undefined) return { distances, problem: `'${layer}' has another shape` };
    const { reason } = judge(distance);
    if (reason !== undefined) return { distances, problem: `'${layer}' has a ${reason}` };
    distances.push(distance);
  }
  return { distances, problem: undefined };
}
