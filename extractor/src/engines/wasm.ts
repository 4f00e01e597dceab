// The `wasm` engine: TensorFlow.js' WebAssembly backend, from the npm registry alone, where TensorFlow can't be had.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Refusal } from '../../../shared/src/errors.ts';
import type { Engine, EngineOptions } from '../engine.ts';
import { tfjs } from '../tfjs.ts';
import { loadTfjs } from './load-tfjs.ts';
import { addMissingKernels } from './wasm-kernels.ts';

/**
 * Opens the engine. It uses SIMD where the processor has it, and one thread: the backend has no threads in Node.js,
 * so `threads` has no effect and more processes are the way to more cores.
 * @throws Refusal `engine-unavailable`
 */
export async function openWasmEngine(_options: EngineOptions = {}): Promise<Engine> {
  const runtime = tfjs();
  let version: string;
  try {
    const backend = await import('@tensorflow/tfjs-backend-wasm');
    version = backend.version_wasm;
    if (runtime.engine().registry.wasm === undefined) backend.setWasmPaths(wasmFolder());
    if (!(await runtime.setBackend('wasm'))) throw new Error('The backend did not start');
    addMissingKernels();
  } catch (cause) {
    throw new Refusal('engine-unavailable', 'Expected the engine `wasm` to start but it did not', {
      hint: 'Install @tensorflow/tfjs-backend-wasm again (`npm install`), or take another engine.',
      cause,
    });
  }
  const versions = { 'tfjs-backend-wasm': version, tfjs: runtime.version['tfjs-core'] };
  return {
    name: 'wasm',
    versions: () => versions,
    load: options => loadTfjs('wasm', options),
  };
}

/** The backend's own search goes by the running script, which may be anywhere. */
function wasmFolder(): string {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'dist/');
}
