// Shapes of all layers of an ONNX model, by runs of zeros in a child. For the reader.
import { compiledUrl } from '../../../shared/src/compiled-url.ts';
import { askProbe } from '../probe.ts';

/** One per layer: its shape without the batch axis, null for an axis that moves with the input; or why it has none. */
export interface ProbedLayer {
  readonly name: string;
  /** Empty where the runtime could not say. */
  readonly shape: readonly (number | null)[];
  readonly unsupported?: string;
}

export interface OnnxProbeOptions {
  /** The child is killed after that. @default 120_000 */
  readonly timeoutMs?: number;
}

/**
 * @param model absolute path of the file
 * @throws Refusal as `askProbe`
 */
export function probeOnnxLayers(model: string, { timeoutMs }: OnnxProbeOptions = {}): Promise<readonly ProbedLayer[]> {
  const script = compiledUrl('./onnx-probe-process.ts', import.meta.url);
  return askProbe({ script, question: { model }, runtime: 'ONNX Runtime', timeoutMs });
}
