// Shapes of layers by one run of zeros in a child, on the engine that would run the model. For the readers of graph models.
import { compiledUrl } from '../../shared/src/compiled-url.ts';
import type { EngineName } from '../../shared/src/request.ts';
import type { LoadOptions } from './engine.ts';
import { askProbe } from './probe.ts';

export interface ShapesQuestion extends LoadOptions {
  readonly engine: EngineName;
}

export interface ProbeShapesOptions extends ShapesQuestion {
  /** The child is killed after that. @default 120_000 */
  readonly timeoutMs?: number;
}

/**
 * Opens the engine in a child, loads the layers there, and gives the shapes of their outputs without the batch axis.
 * @throws Refusal as `askProbe`
 */
export function probeShapes({ timeoutMs, ...question }: ProbeShapesOptions): Promise<readonly (readonly number[])[]> {
  const script = compiledUrl('./probe-shapes-process.ts', import.meta.url);
  return askProbe({ script, question, runtime: `the engine ${question.engine}`, timeoutMs });
}
