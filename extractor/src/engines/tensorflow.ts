// The `tensorflow` engine: TensorFlow's native library through tfjs-node. The only file that imports tfjs-node.

import { tensorFlowStatus } from '../../../setup/src/tensorflow-library.ts';
import { applyTfjsNodeShim } from '../../../setup/src/tfjs-node-shim.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import type { Engine, EngineOptions } from '../engine.ts';
import { tfjs } from '../tfjs.ts';
import { loadTensorFlow } from './load-tfjs.ts';

/**
 * Opens the engine; prepares nothing (that is `npx layertap setup`). tfjs-node has no call for the number of threads, so
 * `threads` has no effect here: who spawns the process sets TF_NUM_INTRAOP_THREADS and TF_CPP_MIN_LOG_LEVEL for it.
 * @throws Refusal `engine-unavailable`
 */
export async function openTensorFlowEngine(_options: EngineOptions = {}): Promise<Engine> {
  const status = tensorFlowStatus();
  if (!status.available) throw unavailable(status.reason);
  try {
    applyTfjsNodeShim();
    // biome-ignore lint/style/noRestrictedImports: this is the one file that may.
    const { node, version } = await import('@tensorflow/tfjs-node');
    if (!(await tfjs().setBackend('tensorflow'))) throw new Error('The backend did not start');
    const versions = { 'tfjs-node': version['tfjs-node'], tensorflow: status.version };
    return {
      name: 'tensorflow',
      versions: () => versions,
      load: options => loadTensorFlow(node, options),
    };
  } catch (cause) {
    throw unavailable('its native library did not load', cause);
  }
}

function unavailable(reason: string, cause?: unknown): Refusal {
  return new Refusal('engine-unavailable', `Expected the engine \`tensorflow\` but it cannot be had: ${reason}`, {
    hint: 'Run `npx layertap setup` to prepare TensorFlow, or take `--engine wasm`, which is slower.',
    cause,
  });
}
