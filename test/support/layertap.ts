// Runs the compiled command line, and the services, as processes of their own: as a user and a container start them.

import { onTestFinished } from 'vitest';
import { type Running, type RunOptions, type RunResult, startProgram } from './programs.ts';

export { jsonLines, programPath, type Running, type RunOptions, type RunResult } from './programs.ts';

/** The command line from start to end. */
export function run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return startProgram('layertap', args, options).ended;
}

/** The command line, to be watched and signalled while it runs; killed at the end of the test where it still does. */
export function start(args: readonly string[], options: RunOptions = {}): Running {
  const running = startProgram('layertap', args, options);
  killAtEnd(running);
  return running;
}

/** A service, configured by the environment alone. */
export function startService(name: 'producer' | 'worker', env: Readonly<Record<string, string>>): Running {
  const running = startProgram(name, [], { env });
  killAtEnd(running);
  return running;
}

function killAtEnd(running: Running): void {
  onTestFinished(async () => {
    running.kill('SIGKILL');
    await running.ended;
  });
}
