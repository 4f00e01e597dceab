// The child of probe-shapes.ts: opens an engine, loads layers, sends their shapes, and ends.
import { describeError, Refusal } from '../../shared/src/errors.ts';
import { openEngine } from './engine.ts';
import type { ProbeAnswer, ProbeOptions } from './probe-shapes.ts';

process.once('disconnect', () => process.exit(1));
const answer = await probe(JSON.parse(process.argv[2] ?? '{}') as ProbeOptions);
process.send?.(answer, () => process.exit(0));

async function probe({ engine, model, layers, inputShape }: ProbeOptions): Promise<ProbeAnswer> {
  try {
    const opened = await openEngine(engine);
    const extractor = await opened.load({ model, layers, inputShape });
    return { shapes: extractor.outputs.map(output => output.shape) };
  } catch (error) {
    if (!(error instanceof Refusal)) return { error: describeError(error) };
    return { refusal: { code: error.code, message: error.message, hint: error.hint } };
  }
}
