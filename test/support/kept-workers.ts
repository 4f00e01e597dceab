// Workers that are started again whenever they end, as a supervisor does: for the chaos and the load.
import { type Running, type RunResult, startProgram } from './programs.ts';

export interface KeptWorkers {
  /** Those that live at the moment. */
  living(): readonly Running[];
  /** Kills all and starts none again. */
  close(): Promise<void>;
}

/** @param onEnd told of each end but those of `close` */
export function keepWorkers(count: number, redis: string, onEnd?: (result: RunResult) => void): KeptWorkers {
  const living = new Set<Running>();
  let closing = false;

  function start(): void {
    const worker = startProgram('layertap', ['work', '--redis', redis, '--processes', '1', '--threads', '1', '--json']);
    living.add(worker);
    void worker.ended.then(result => {
      living.delete(worker);
      if (closing) return;
      onEnd?.(result);
      start();
    });
  }
  for (let index = 0; index < count; index++) start();

  return {
    living: () => [...living],
    async close(): Promise<void> {
      closing = true;
      for (const worker of living) worker.kill('SIGKILL');
      await Promise.all([...living].map(({ ended }) => ended));
    },
  };
}
