// Runs a piece of Python with the interop packages, for tests that read our files as other programs would.

import { inject } from 'vitest';
import { describeFailure, runCommand } from '../../setup/src/command.ts';
import type {} from '../global-setup.ts';

export interface PythonOptions {
  /** @default 500000 */
  readonly timeoutMs?: number;
  /** @default the test's working directory */
  readonly cwd?: string;
}

/** The snippet finds `input` as the variable `given`, and prints one JSON value, which is returned. */
export async function runPython<T>(snippet: string, input: unknown = null, options: PythonOptions = {}): Promise<T> {
  const python = inject('python');
  if (!python.ready) throw new Error(python.reason);
  const script = `import json, sys\ngiven = json.load(sys.stdin)\n${snippet}`;
  const result = await runCommand(python.python, ['-c', script], {
    timeoutMs: options.timeoutMs ?? 500_000,
    ...(options.cwd ? { cwd: options.cwd } : {}),
    input: JSON.stringify(input),
    env: { PYTHONPATH: python.pythonPath, PYTHONDONTWRITEBYTECODE: '1', PYTHONNOUSERSITE: '1' },
  });
  if (!result.ok) throw new Error(`${describeFailure('python', result)}\n${result.stderr.slice(-4000)}`);
  return JSON.parse(result.stdout) as T;
}
