// Asks a short-lived child process one question: for work whose native library must not be loaded here, or may crash.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { compiledUrl } from '../../shared/src/compiled-url.ts';
import { describeError, Refusal, type RefusalCode } from '../../shared/src/errors.ts';

export type ChildAnswer<T> =
  | { readonly value: T }
  | { readonly refusal: { readonly code: RefusalCode; readonly message: string; readonly hint?: string | undefined } }
  /** A crash, a bug, or no answer in time. */
  | { readonly error: string };

export interface AskOptions {
  /** The script, a `.ts` path seen from `from` (the caller's import.meta.url). It calls `answerParent`. */
  readonly script: string;
  readonly from: string;
  /** Plain data. */
  readonly question: unknown;
  /** The child is killed after that. */
  readonly timeoutMs: number;
  /** Environment of the child. @default this process' own */
  readonly env?: Readonly<Record<string, string>>;
}

export function askChild<T>({ script, from, question, timeoutMs, env }: AskOptions): Promise<ChildAnswer<T>> {
  const path = fileURLToPath(compiledUrl(script, from));
  return new Promise(resolve => {
    const child = fork(path, [JSON.stringify(question)], {
      // Without the parent's loaders: the child is compiled. Notices of native libraries are nothing for the user's terminal.
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      ...(env && { env: { ...env } }),
    });
    const kill = (): void => void child.kill('SIGKILL');
    const timer = setTimeout(() => {
      end({ error: `it took longer than ${timeoutMs / 1000} s` });
      kill();
    }, timeoutMs);
    process.once('exit', kill);
    function end(answer: ChildAnswer<T>): void {
      clearTimeout(timer);
      process.off('exit', kill);
      resolve(answer);
    }
    child.once('message', message => end(message as ChildAnswer<T>));
    child.once('error', error => end({ error: error.message }));
    // After the channel, where an answer may still lie.
    child.once('close', (code, signal) => end({ error: `the process ended with ${signal ?? `exit code ${code}`}` }));
  });
}

/** In the child: answers the question and ends. */
export async function answerParent<Q, T>(answer: (question: Q) => Promise<T>): Promise<void> {
  process.once('disconnect', () => process.exit(1));
  process.send?.(await attempt(answer, JSON.parse(process.argv[2] ?? 'null') as Q), () => process.exit(0));
}

async function attempt<Q, T>(answer: (question: Q) => Promise<T>, question: Q): Promise<ChildAnswer<T>> {
  try {
    return { value: await answer(question) };
  } catch (error) {
    if (!(error instanceof Refusal)) return { error: describeError(error) };
    return { refusal: { code: error.code, message: error.message, hint: error.hint } };
  }
}

/** The value, or the child's refusal thrown. @param explain what a crash means to the user */
export function answeredValue<T>(answer: ChildAnswer<T>, explain: (error: string) => Error): T {
  if ('value' in answer) return answer.value;
  if ('error' in answer) throw explain(answer.error);
  const { code, message, hint } = answer.refusal;
  throw new Refusal(code, message, hint === undefined ? {} : { hint });
}
