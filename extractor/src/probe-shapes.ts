// Shapes of layers by one run of zeros in a short-lived child: no runtime is loaded here, and a crash of one is a Refusal.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { compiledUrl } from '../../shared/src/compiled-url.ts';
import { Refusal, type RefusalCode } from '../../shared/src/errors.ts';
import type { EngineName } from '../../shared/src/request.ts';
import type { LoadOptions } from './engine.ts';

export interface ProbeOptions extends LoadOptions {
  readonly engine: EngineName;
  /** The child is killed after that. @default 120000 */
  readonly timeoutMs?: number;
}

/** What the child answers. */
export type ProbeAnswer =
  | { readonly shapes: readonly (readonly number[])[] }
  | { readonly refusal: { readonly code: RefusalCode; readonly message: string; readonly hint?: string | undefined } }
  | { readonly error: string };

/**
 * Opens the engine in a child, loads the layers there, and gives the shapes of their outputs without the batch axis.
 * @throws Refusal of the child as it is; `model-unreadable` where the child crashes or takes too long
 */
export async function probeShapes(options: ProbeOptions): Promise<readonly (readonly number[])[]> {
  const answer = await ask(options);
  if ('shapes' in answer) return answer.shapes;
  if ('refusal' in answer) {
    const { code, message, hint } = answer.refusal;
    throw new Refusal(code, message, hint === undefined ? {} : { hint });
  }
  throw new Refusal(
    'model-unreadable',
    `Expected a model that the engine ${options.engine} can run in ${options.model}`,
    {
      hint: 'The file may be damaged: copy or export the model again.',
      cause: new Error(answer.error),
    },
  );
}

function ask({ engine, model, layers, inputShape, timeoutMs = 120_000 }: ProbeOptions): Promise<ProbeAnswer> {
  const script = fileURLToPath(compiledUrl('./probe-shapes-process.ts', import.meta.url));
  return new Promise(resolve => {
    const child = fork(script, [JSON.stringify({ engine, model, layers, inputShape })], {
      // Without the parent's loaders: the child is compiled. TensorFlow's notices are nothing for the user's terminal.
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const kill = (): void => void child.kill('SIGKILL');
    const timer = setTimeout(() => {
      end({ error: `The probe took longer than ${timeoutMs / 1000} s` });
      kill();
    }, timeoutMs);
    process.once('exit', kill);
    function end(answer: ProbeAnswer): void {
      clearTimeout(timer);
      process.off('exit', kill);
      resolve(answer);
    }
    child.once('message', message => end(message as ProbeAnswer));
    child.once('error', error => end({ error: error.message }));
    // After the channel, where an answer may still lie.
    child.once('close', (code, signal) => end({ error: `The probe ended with ${signal ?? `exit code ${code}`}` }));
  });
}
