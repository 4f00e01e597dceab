// A small program over the lifecycle, for tests that send it signals. Its argument says how it behaves.

import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal } from '../../shared/src/errors.ts';
import { createLifecycle } from '../../shared/src/lifecycle.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const lifecycle = createLifecycle({
  onFirst: signal => say(`first ${signal}`),
  onSecond: signal => say(`second ${signal}`),
  leaveTimeoutMs: process.argv[2] === 'stuck-closer' ? 50 : 60_000,
});

/** Keeps the process alive as an open connection would. */
async function untilAborted(signal: AbortSignal): Promise<void> {
  await sleep(600_000, undefined, { signal }).catch(() => undefined);
}

await lifecycle.run(async () => {
  lifecycle.defer(() => say('closed first opened'));
  lifecycle.defer(async () => {
    await sleep(1);
    say('closed last opened');
  });
  switch (process.argv[2]) {
    case 'done':
      return;
    case 'status':
      return 4;
    case 'refusal':
      throw new Refusal('bad-option', 'Expected a number for `batch` but received x', { hint: 'Give --batch 32.' });
    case 'bug':
      throw new Error('this is a bug', { cause: new Error('its cause') });
    case 'bad-closer':
      lifecycle.defer(() => Promise.reject(new Error('could not close')));
      return;
    case 'stop':
      say('ready');
      await untilAborted(lifecycle.stopping);
      say('finished the shard');
      return;
    case 'stop-refusing':
      say('ready');
      await untilAborted(lifecycle.stopping);
      throw new Refusal('interrupted', 'Stopped after 3 of 9 shards', { hint: 'Go on with `layertap resume OUT`.' });
    case 'stop-cleanly':
      say('ready');
      await untilAborted(lifecycle.stopping);
      return 0;
    case 'leave':
      say('ready');
      await untilAborted(lifecycle.stopping);
      await untilAborted(lifecycle.leaving);
      // A handle that nobody closes.
      setInterval(() => undefined, 1000);
      return;
    default:
      say('ready');
      lifecycle.defer(() => untilAborted(new AbortController().signal));
      await untilAborted(lifecycle.leaving);
  }
});
