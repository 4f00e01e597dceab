// Shapes of all layers of an ONNX model, by runs of zeros in a child process that can be killed: no native code here,
// and a file that crashes the runtime or fills the memory ends the child alone. For the reader.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';
import { Refusal, type RefusalCode } from '../../../shared/src/errors.ts';

/** One per layer: its shape without the batch axis, null for an axis that moves with the input; or why it has none. */
export interface ProbedLayer {
  readonly name: string;
  /** Empty where the runtime could not say. */
  readonly shape: readonly (number | null)[];
  readonly unsupported?: string;
}

/** What the child answers. */
export type OnnxProbeAnswer =
  | { readonly layers: readonly ProbedLayer[] }
  | { readonly code: RefusalCode; readonly message: string; readonly hint: string | undefined };

export interface OnnxProbeOptions {
  /** The child is killed after that. @default 120_000 */
  readonly timeoutMs?: number;
}

/**
 * @param model absolute path of the file
 * @throws Refusal `model-unreadable` where the child ends without an answer, else the child's own
 */
export async function probeOnnxLayers(
  model: string,
  { timeoutMs = 120_000 }: OnnxProbeOptions = {},
): Promise<readonly ProbedLayer[]> {
  const answer = await ask(model, timeoutMs);
  if (typeof answer === 'string') {
    throw new Refusal('model-unreadable', `Expected a model that ONNX Runtime can run in ${model} but it ${answer}`, {
      hint: 'The file may be damaged: copy or export the model again.',
    });
  }
  if ('layers' in answer) return answer.layers;
  throw new Refusal(answer.code, answer.message, answer.hint === undefined ? {} : { hint: answer.hint });
}

/** The answer, or how the child ended without one. */
function ask(model: string, timeoutMs: number): Promise<OnnxProbeAnswer | string> {
  const script = fileURLToPath(compiledUrl('./onnx-probe-process.ts', import.meta.url));
  return new Promise(resolve => {
    // Without the parent's loaders, since the script is compiled, and silent: the runtime's lines help nobody.
    const child = fork(script, [model], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const kill = (): void => void child.kill('SIGKILL');
    const end = (answer: OnnxProbeAnswer | string): void => {
      clearTimeout(timer);
      process.off('exit', kill);
      resolve(answer);
    };
    const timer = setTimeout(() => {
      end(`took longer than ${timeoutMs / 1000} s`);
      kill();
    }, timeoutMs);
    process.once('exit', kill);
    child.once('message', answer => end(answer as OnnxProbeAnswer));
    child.once('error', error => end(`could not be started: ${error.message}`));
    // After the channel, in which an answer may still lie.
    child.once('close', (code, signal) => end(`ended the process by ${signal ?? `exit code ${code}`}`));
  });
}
