// The child of onnx-fuzz.ts: loads each file that it is sent and runs its last layer, until it is killed.
import { openOnnxEngine } from '../../../extractor/src/engines/onnx.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { describeError, Refusal } from '../../../shared/src/errors.ts';
import type { FuzzAnswer } from './onnx-fuzz.ts';

const engine = await openOnnxEngine({ threads: 1 });
process.on('message', path => void answer(String(path)));

async function answer(path: string): Promise<void> {
  process.send?.('started');
  const started = performance.now();
  let outcome: FuzzAnswer['outcome'] = 'loaded';
  let message = '';
  try {
    const { table } = await openModel(path);
    const inputShape = [table.inputShape[0] ?? 9, table.inputShape[1] ?? 7, table.inputShape[2] ?? 3];
    const last = table.layers.findLast(layer => layer.unsupported === undefined && layer.className !== 'Input');
    const extractor = await engine.load({ model: path, layers: last === undefined ? [] : [last.name], inputShape });
    await extractor.warmUp(2);
    await extractor.close();
  } catch (error) {
    outcome = error instanceof Refusal ? 'refused' : 'failed';
    message = describeError(error);
  }
  const rssMb = Math.round(process.memoryUsage.rss() / 2 ** 20);
  const answered: FuzzAnswer = { outcome, message, rssMb, ms: performance.now() - started };
  process.send?.(answered);
}
