// The `onnx` engine: ONNX Runtime for Node.js. Its native library comes inside the npm package.
import { Refusal } from '../../../shared/src/errors.ts';
import type { Engine, EngineOptions } from '../engine.ts';

export async function openOnnxEngine(_options: EngineOptions = {}): Promise<Engine> {
  throw new Refusal('engine-unavailable', 'Expected the engine `onnx` but it is being built');
}
