// The child of probe-shapes.ts: opens an engine, loads layers, sends their shapes, and ends.
import { answerProbe } from './answer-probe.ts';
import { openEngine } from './engine.ts';
import type { ShapesQuestion } from './probe-shapes.ts';

await answerProbe(async ({ engine, model, layers, inputShape }: ShapesQuestion) => {
  const opened = await openEngine(engine);
  const extractor = await opened.load({ model, layers, inputShape });
  return extractor.outputs.map(output => output.shape);
});
