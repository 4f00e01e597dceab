// A double of the engine process that speaks its protocol and computes nothing: a job's `fingerprint` says what to do, in up to
// three words: what it does with a shard, a detail of that, and the bytes that it says to hold when it is warm, or `cold` where
// warming fails.

import { existsSync } from 'node:fs';
import type { EngineMessage, ParentMessage, ShardMessage } from '../../services/worker/src/worker-messages.ts';
import type { ShardJob } from '../../shared/src/job.ts';

/** What stands in the receipt of the double. */
export interface DoubleReceipt {
  readonly shard: number;
  readonly attempt: number;
  readonly pid: number;
  /** Model loads so far; 0 when a shard came before any warming. */
  readonly loads: number;
  readonly args: readonly string[];
  readonly env: string | undefined;
}

/** What a warm process says that it holds by itself. */
const DOUBLE_BYTES = 1e9;

/** Resolves when the last message has left: a process that spins would keep it. */
let sent: Promise<void> = Promise.resolve();
const aborts = new Map<string, () => void>();
let loads = 0;
let turn: Promise<void> = Promise.resolve();

process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => process.exit(1));
process.on('message', (message: ParentMessage) => {
  if (message.type === 'abort') aborts.get(message.key)?.();
  else if (message.type === 'close') process.exit(0);
  else if (message.type === 'warm') turn = turn.then(() => warm(message.job));
  else if (message.type === 'shard') takeShard(message);
  else send({ type: 'done', key: message.key });
});
send({ type: 'ready' });

async function warm(job: ShardJob): Promise<void> {
  if (job.fingerprint === 'warm-for-ever') {
    send({ type: 'log', level: 'info', message: 'warming', fields: { pid: process.pid } });
    return new Promise(() => undefined);
  }
  const [, , bytes = DOUBLE_BYTES] = job.fingerprint.split(' ');
  if (job.fingerprint === 'warm-failed' || bytes === 'cold')
    return send({ type: 'warm-failed', error: 'no such model' });
  loads += 1;
  send({ type: 'log', level: 'info', message: 'warmed', fields: { pid: process.pid, bytes: Number(bytes) } });
  send({ type: 'warmed', fingerprint: job.fingerprint, seconds: 0.5, loads, residentBytes: Number(bytes) });
}

function takeShard(message: ShardMessage): void {
  const { key, job } = message;
  send({ type: 'log', level: 'info', message: 'took', fields: { shard: job.shard, pid: process.pid } });
  let isAborted = false;
  const aborted = new Promise<void>(resolve => {
    aborts.set(key, () => {
      isAborted = true;
      send({ type: 'log', level: 'info', message: 'told to abort', fields: { shard: job.shard } });
      resolve();
    });
  });
  turn = turn.then(() => (isAborted ? sendAborted(key) : work(message, aborted)));
}

async function work({ key, job, attempt }: ShardMessage, aborted: Promise<void>): Promise<void> {
  const { out, runId, shard } = job;
  const [behaviour = '', detail = ''] = job.fingerprint.split(' ');
  const progress: EngineMessage = {
    type: 'progress',
    out,
    runId,
    shard,
    attempt,
    rows: 2,
    failed: 1,
    seconds: { infer: 0.25 },
  };
  const receipt: DoubleReceipt = {
    shard,
    attempt,
    pid: process.pid,
    loads,
    args: process.argv.slice(2),
    env: process.env.DOUBLE,
  };
  const done: EngineMessage = { type: 'done', key, receipt, residentBytes: process.memoryUsage.rss() };
  switch (behaviour) {
    case 'retry':
    case 'refused':
    case 'declined':
      return send({ type: 'failed', key, kind: behaviour, message: `${behaviour} for a reason` });
    case 'segfault':
      return void process.kill(process.pid, 'SIGSEGV');
    case 'segfault-once':
      if (attempt === 1) return void process.kill(process.pid, 'SIGSEGV');
      break;
    case 'exit':
      return process.exit(Number(detail));
    case 'exit-when':
      await fileAppears(detail);
      return process.exit(1);
    case 'done-and-exit':
      send(done);
      await sent;
      return process.exit(0);
    case 'spin':
      send(progress);
      await sent;
      for (;;);
    case 'hold':
      send(progress);
      await aborted;
      return sendAborted(key);
    case 'stall':
      send({ type: 'begun', batch: Number(detail) });
      await aborted;
      return sendAborted(key);
    case 'begin-until': {
      const [batch = '', path = ''] = detail.split(':');
      send({ type: 'begun', batch: Number(batch) });
      send(progress);
      await fileAppears(path);
      break;
    }
    case 'until':
      if (!(await Promise.race([fileAppears(detail), aborted.then(() => false)]))) {
        return sendAborted(key);
      }
  }
  send(progress);
  send(done);
}

function sendAborted(key: string): void {
  send({ type: 'failed', key, kind: 'retry', message: 'aborted' });
}

/** The test's way to end a shard when it wants. */
async function fileAppears(path: string): Promise<boolean> {
  while (!existsSync(path)) await new Promise(resolve => setTimeout(resolve, 5));
  return true;
}

function send(message: EngineMessage): void {
  sent = new Promise(resolve => process.send?.(message, () => resolve()));
}
