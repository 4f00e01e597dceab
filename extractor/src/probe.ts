// A question about a model that only its runtime can answer, asked in a short-lived child: no native code is loaded here,
// and a file that crashes the runtime, fills the memory or takes too long ends the child alone. For the readers of models.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../../setup/src/config.ts';
import { cacheEnvironment } from '../../setup/src/made-cache.ts';
import { Refusal, type RefusalCode } from '../../shared/src/errors.ts';

export interface Probe {
  /** Compiled script of the child, which calls `answerProbe`. */
  readonly script: URL;
  /** What the script gets: plain values, with the model's path. */
  readonly question: { readonly model: string };
  /** For messages: `ONNX Runtime`, `the engine wasm`. */
  readonly runtime: string;
  /** The child is killed after that. @default 120_000 */
  readonly timeoutMs?: number | undefined;
  /** Kills the child; the question then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What the child sends. */
export type ProbeMessage =
  | { readonly answer: unknown }
  | { readonly refusal: { readonly code: RefusalCode; readonly message: string; readonly hint?: string | undefined } }
  | { readonly error: string };

/**
 * The answer of the child, which is ours: its form is the caller's word.
 * @throws Refusal of the child as it is; `model-unreadable` where the child fails, crashes or takes too long
 */
export async function askProbe<Answer>(probe: Probe): Promise<Answer> {
  const message = await messageOf(probe);
  probe.signal?.throwIfAborted();
  if ('answer' in message) return message.answer as Answer;
  if ('refusal' in message) {
    const { code, message: text, hint } = message.refusal;
    throw new Refusal(code, text, hint === undefined ? {} : { hint });
  }
  const { runtime, question } = probe;
  throw new Refusal(
    'model-unreadable',
    `Expected a model that ${runtime} can run in ${question.model} but ${message.error}`,
    { hint: 'The file may be damaged: copy or export the model again.' },
  );
}

/** What the child sent, or how it ended without that. */
async function messageOf({ script, question, timeoutMs = 120_000, signal }: Probe): Promise<ProbeMessage> {
  const env = childEnvironment(await cacheEnvironment());
  return new Promise(resolve => {
    // Without the parent's loaders, since the script is compiled, and silent: the runtime's lines help nobody.
    const child = fork(fileURLToPath(script), [JSON.stringify(question)], {
      env,
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const kill = (): void => void child.kill('SIGKILL');
    const timer = setTimeout(() => {
      end({ error: `it took longer than ${timeoutMs / 1000} s` });
      kill();
    }, timeoutMs);
    process.once('exit', kill);
    signal?.addEventListener('abort', kill);
    if (signal?.aborted) kill();
    function end(message: ProbeMessage): void {
      clearTimeout(timer);
      process.off('exit', kill);
      signal?.removeEventListener('abort', kill);
      resolve(message);
    }
    child.once('message', message => end(message as ProbeMessage));
    child.once('error', error => end({ error: `it could not be started: ${error.message}` }));
    // After the channel, in which an answer may still lie.
    child.once('close', (code, signal) => end({ error: `it ended the process by ${signal ?? `exit code ${code}`}` }));
  });
}
