// The warning where a run computes on a slower engine than a compiled model would be: how much slower, why, what to do.
import { tensorFlowStatus } from '../../../setup/src/tensorflow-library.ts';
import type { EngineName } from '../../../shared/src/request.ts';

/** How many times as fast a compiled model is: MobileNetV2, whole job, 2 cores (docs/benchmarks.md, docs/scaling.md). */
const TYPICAL: Readonly<Partial<Record<EngineName, number>>> = { tensorflow: 3, wasm: 10 };

/**
 * @param reason the one sentence that says why the model does not run compiled
 * @param factor how many times as fast it would be, where that was measured
 */
export function slowerThanCompiled(engine: EngineName, reason: string, factor?: number): string {
  const times =
    factor === undefined
      ? `about ${TYPICAL[engine] ?? 2} times slower than a compiled model (MobileNetV2)`
      : `${factor.toFixed(1)} times slower than the compiled model`;
  return `This run computes on ${engine}, ${times}. ${reason} ${remedyFor(engine)}`;
}

function remedyFor(engine: EngineName): string {
  if (engine === 'wasm' && !tensorFlowStatus().available) {
    return 'Run `npx layertap setup` for TensorFlow, which is several times as fast as wasm, and begin the run anew; or take layers in front of what cannot be compiled.';
  }
  return 'Take layers in front of what cannot be compiled, or save the model as ONNX and extract that file.';
}
