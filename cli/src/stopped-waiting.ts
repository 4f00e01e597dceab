// What a command says that was stopped while it waited for a run in Redis.
import { Refusal } from '../../shared/src/errors.ts';

/** Not a success: a script that goes on after `--wait` counts on the summary. */
export function stoppedWaiting(out: string): Refusal {
  return new Refusal('interrupted', 'Stopped waiting before the run was done; the workers go on with it', {
    hint: `Follow it with: npx layertap status ${out}`,
  });
}
