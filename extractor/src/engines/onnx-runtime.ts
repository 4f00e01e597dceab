// ONNX Runtime's native library, loaded with its telemetry switched off. The only file that names the package: nobody else may
// load it, or it reports each session (SECURITY.md). For the onnx engine, its probes, the benches and the tests.
import { disableTelemetry } from '../../../setup/src/config.ts';
import { Refusal } from '../../../shared/src/errors.ts';

// biome-ignore lint/style/noRestrictedImports: this is the one file that may.
export type { InferenceSession, Tensor } from 'onnxruntime-node';
export type Runtime = typeof import('onnxruntime-node');

/**
 * The library reads the environment once, when it is loaded: one that the process had before, from elsewhere, keeps its telemetry.
 * @throws Refusal `engine-unavailable`
 */
export async function loadRuntime(): Promise<Runtime> {
  if (!disableTelemetry()) throw telemetryStaysOn();
  try {
    // biome-ignore lint/style/noRestrictedImports: this is the one file that may.
    const runtime = await import('onnxruntime-node');
    takeHalvesAsBits(runtime);
    return runtime;
  } catch (cause) {
    throw new Refusal('engine-unavailable', 'Expected the engine `onnx` to start but its native library did not load', {
      hint: 'Install onnxruntime-node again (`npm install`); its library needs glibc.',
      cause,
    });
  }
}

function telemetryStaysOn(): Refusal {
  return new Refusal(
    'engine-unavailable',
    'Expected `ORT_DISABLE_TELEMETRY=1` in the environment of the process that loads ONNX Runtime, which would report on its models otherwise; it is not there, and this worker thread cannot set it',
    {
      hint: "Set it in the main thread before this call (`process.env.ORT_DISABLE_TELEMETRY = '1'`), or start the process with it.",
    },
  );
}

/**
 * From Node 24 on there is a Float16Array. ONNX Runtime's JavaScript then wants it for float16, but its native part does not
 * know it ("not enough space: expected 576, got 0", seen with 1.30): its first tensor decides, and must not see the type.
 */
function takeHalvesAsBits({ Tensor }: Runtime): void {
  const own = Object.getOwnPropertyDescriptor(globalThis, 'Float16Array');
  if (own === undefined) return;
  Reflect.deleteProperty(globalThis, 'Float16Array');
  try {
    new Tensor('float32', new Float32Array(1), [1]);
  } finally {
    Object.defineProperty(globalThis, 'Float16Array', own);
  }
}
