// Starts one engine process and tells how it ended. For engine-client.ts.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EngineClientOptions } from './engine-client.ts';
import { passOutputOn } from './engine-output.ts';
import type { EngineMessage, ParentMessage } from './worker-messages.ts';

export interface EngineProcess {
  /** A message to a process that is ending is dropped: its death answers all. */
  send(message: ParentMessage): void;
  /** At once, without its consent. `how` is then told as its death. @default the signal */
  kill(how?: string): void;
  /** Resolves after the death and after every message that it had sent before. */
  readonly ended: Promise<void>;
}

/** Time that a process gets to exit after its channel has closed. */
const EXIT_GRACE_MS = 5000;

export interface EngineEvents {
  onMessage(message: EngineMessage): void;
  /** `how` completes the sentence "engine process …". */
  onDeath(how: string): void;
}

export function forkEngine(options: EngineClientOptions, events: EngineEvents): EngineProcess {
  const heap = options.maxHeapMb === undefined ? [] : [`--max-old-space-size=${options.maxHeapMb}`];
  const child = fork(fileURLToPath(options.script), [...(options.args ?? [])], {
    env: { ...options.env },
    execArgv: [...(options.execArgv ?? []), ...heap],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  passOutputOn([child.stdout, child.stderr]);
  let killed: string | undefined;
  const kill = (): void => void child.kill('SIGKILL');
  // The channel closes with this process too, but a child inside native code would notice only after its batch.
  process.once('exit', kill);

  child.on('message', message => events.onMessage(message as EngineMessage));
  // Without its channel a process is of no use: it is to exit by itself, and does not always.
  child.once('disconnect', () => setTimeout(kill, EXIT_GRACE_MS).unref());
  const ended = new Promise<void>(resolve => {
    const end = (how: string): void => {
      process.off('exit', kill);
      events.onDeath(how);
      resolve();
    };
    child.once('error', error => {
      // Also raised when a message cannot be sent; a process that never started has no pid.
      if (child.pid === undefined) end(`could not start: ${error.message}`);
    });
    child.once('exit', (code, signal) => {
      const how = killed ?? (signal === null ? `ended with exit code ${code}` : `ended by ${signal}`);
      // Answers may still lie in the channel: they count before the death does.
      if (child.connected) child.once('disconnect', () => end(how));
      else end(how);
    });
  });
  return {
    kill(how): void {
      killed ??= how;
      kill();
    },
    ended,
    send(message): void {
      if (child.connected) child.send(message, () => undefined);
    },
  };
}
