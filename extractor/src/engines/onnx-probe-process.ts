// The child of onnx-probe.ts: runs one model on zeros, sends the shapes of its layers, and ends.
import { describeError, Refusal } from '../../../shared/src/errors.ts';
import type { OnnxProbeAnswer } from './onnx-probe.ts';
import { shapesOfAllLayers } from './onnx-shapes.ts';

process.once('disconnect', () => process.exit(1));
const answer = await probe(process.argv[2] ?? '');
process.send?.(answer, () => process.exit(0));

async function probe(model: string): Promise<OnnxProbeAnswer> {
  try {
    return { layers: await shapesOfAllLayers(model) };
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code, message: error.message, hint: error.hint };
    const message = `Expected a model that ONNX Runtime can run in ${model}: ${describeError(error)}`;
    return { code: 'model-unreadable', message, hint: undefined };
  }
}
