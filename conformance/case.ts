// One case: one model file on one engine, in a process of its own, since a native crash or a hang is a result too.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { childEnvironment } from '../setup/src/config.ts';
import type { EngineName } from '../shared/src/request.ts';

const SCRIPT = fileURLToPath(new URL('./case-process.ts', import.meta.url));

/** What the process is told. */
export interface CaseTask {
  /** Model file. */
  readonly model: string;
  readonly engine: EngineName;
  /** Folder with reference.json and its arrays. */
  readonly reference: string;
}

const LayerDistance = z.object({
  name: z.string(),
  className: z.string(),
  cosine: z.number(),
  /** Infinity, where values are not finite or of another number, has no form in JSON: null. */
  relative: z.number().nullable(),
});
export type LayerDistance = z.output<typeof LayerDistance>;

/** What the process says, in its last line. */
export const CaseReport = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('compared'),
    layers: z.array(LayerDistance),
    seconds: z.object({ open: z.number(), load: z.number(), run: z.number() }),
    versions: z.record(z.string(), z.string()),
  }),
  /** The engine does not run this format at all. */
  z.object({ outcome: z.literal('unclaimed') }),
  z.object({ outcome: z.literal('refused'), reason: z.string() }),
]);
export type CaseReport = z.output<typeof CaseReport>;

const KEPT_CHARACTERS = 4000;

export async function runCase(task: CaseTask, timeoutMs: number, signal: AbortSignal): Promise<CaseReport> {
  signal.throwIfAborted();
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, JSON.stringify(task)], {
    env: childEnvironment({ TF_CPP_MIN_LOG_LEVEL: '3' }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  let timedOut = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-KEPT_CHARACTERS);
  });
  const kill = (): void => void child.kill('SIGKILL');
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, timeoutMs);
  signal.addEventListener('abort', kill, { once: true });
  try {
    const how = await new Promise<string>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, killedBy) => resolve(killedBy ?? `exit status ${code}`));
    });
    signal.throwIfAborted();
    if (timedOut) return { outcome: 'refused', reason: `still running after ${timeoutMs / 1000} s` };
    if (how === 'exit status 0') return CaseReport.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
    return { outcome: 'refused', reason: `the process ended with ${how}: ${lastWords(stderr)}` };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
  }
}

/** The error's own line where there is one: the stack below it tells less. */
function lastWords(stderr: string): string {
  const lines = stderr.split('\n').filter(line => line.trim() !== '');
  return (lines.find(line => /Error\b/.test(line)) ?? lines.at(-1) ?? 'no message').trim().slice(0, 300);
}
