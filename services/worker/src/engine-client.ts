// The parent's handle on one engine process: sends it shards, survives its death. For consumer.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { jobIdOf, type ShardJob } from '../../../shared/src/job.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import { type EngineProcess, forkEngine } from './engine-fork.ts';
import type { EngineMessage, FailureKind, ShardProgress, WarmedMessage } from './worker-messages.ts';

export interface EngineClientOptions {
  /** The module that the process runs: engine-process, or a double of it in tests. */
  readonly script: URL;
  /**
   * Arguments of that module: its own options as JSON. Behind them stands the number of processes that were killed before,
   * once there are any. @default none
   */
  readonly args?: readonly string[];
  /** The whole environment of the process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Node's own arguments, such as a TypeScript loader. @default none */
  readonly execArgv?: readonly string[];
  readonly logger: Logger;
  /** Bound of the process' JavaScript heap; tensors live outside of it. @default Node's own */
  readonly maxHeapMb?: number;
  /** Pause before the second start in a row without a shard done between; doubles up to 30 s. @default 1000 */
  readonly restartDelayMs?: number;
}

export interface ProcessOptions {
  readonly attempt: number;
  /** Asks the process to stop that shard; the promise still waits for its answer. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: ShardProgress) => void;
}

export type Warmed = Pick<WarmedMessage, 'fingerprint' | 'seconds' | 'loads'>;

export interface EngineClient {
  /** Loads and warms the extractor of that job's run. */
  warm(job: ShardJob): Promise<Warmed>;
  /** Resolves to the shard's receipt. Rejects with EngineFailure for an answer, with any other Error for a death. */
  process(job: ShardJob, options: ProcessOptions): Promise<unknown>;
  /** Lets the shards in hand end, then the process. With `force`, kills it: its shards reject. */
  close(options?: { readonly force?: boolean }): Promise<void>;
}

/** The engine process itself said that it will not finish a shard. */
export class EngineFailure extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string) {
    super(message);
    this.name = 'EngineFailure';
    this.kind = kind;
  }
}

const LONGEST_RESTART_DELAY_MS = 30_000;
/** How the kernel ends a process when the machine or its container runs out of memory. */
const OUT_OF_MEMORY_DEATH = 'ended by SIGKILL';
/** A process that died so often without one answer is broken here, whatever the shard. */
const GIVE_UP_DEATHS = 5;

interface Answer<Value> {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: Error) => void;
}

interface ShardInHand extends Answer<unknown> {
  readonly job: ShardJob;
  readonly onProgress: ProcessOptions['onProgress'];
}

/** Opens without starting: the process starts with the first `warm` or `process`, and again after a death. */
export function openEngineClient(options: EngineClientOptions): EngineClient {
  const { logger, restartDelayMs = 1000 } = options;
  const shards = new Map<string, ShardInHand>();
  const warmings: Answer<Warmed>[] = [];
  const calls = new Set<Promise<unknown>>();
  const closing = new AbortController();
  let engine: EngineProcess | undefined;
  let starting: Promise<EngineProcess> | undefined;
  let deathsInARow = 0;
  let lastDeath = '';
  /** Deaths from outside, most likely for the memory: the batch is halved for each. */
  let halvings = 0;
  /** Whether any process of this client ever answered for a shard. */
  let answered = false;
  let ending = false;

  function start(): Promise<EngineProcess> {
    starting ??= (async (): Promise<EngineProcess> => {
      // The first restart is free: one poisonous image is likelier than a broken installation.
      if (deathsInARow > 1) {
        const delayMs = Math.min(restartDelayMs * 2 ** (deathsInARow - 2), LONGEST_RESTART_DELAY_MS);
        await sleep(delayMs, undefined, { signal: closing.signal });
      }
      closing.signal.throwIfAborted();
      const args = halvings === 0 ? options.args : [...(options.args ?? []), String(halvings)];
      engine = forkEngine({ ...options, ...(args && { args }) }, { onMessage, onDeath });
      return engine;
    })();
    // A start given up by close() leaves nothing to wait for.
    starting.catch(() => undefined);
    return starting;
  }

  function onMessage(message: EngineMessage): void {
    switch (message.type) {
      case 'ready':
        return;
      case 'warmed':
        warmings.shift()?.resolve({ fingerprint: message.fingerprint, seconds: message.seconds, loads: message.loads });
        return;
      case 'warm-failed':
        warmings.shift()?.reject(new Error(message.error));
        return;
      case 'progress':
        shards.get(jobIdOf(message))?.onProgress?.(message);
        return;
      case 'done':
        deathsInARow = 0;
        answered = true;
        takeShard(message.key)?.resolve(message.receipt);
        return;
      case 'failed':
        deathsInARow = 0;
        answered = true;
        takeShard(message.key)?.reject(new EngineFailure(message.kind, message.message));
        return;
      case 'log':
        logger.log(message.level, message.message, message.fields);
    }
  }

  function takeShard(key: string): ShardInHand | undefined {
    const shard = shards.get(key);
    shards.delete(key);
    return shard;
  }

  function onDeath(how: string): void {
    engine = undefined;
    starting = undefined;
    deathsInARow += 1;
    lastDeath = how;
    const error = new Error(`engine process ${how}${whileWorkingOn([...shards.values()])}`);
    if (!ending) logger.log('warn', error.message);
    if (!ending && how === OUT_OF_MEMORY_DEATH) {
      halvings += 1;
      logger.log('warn', `it may have been the memory: the next process takes half as many images at a time`);
    }
    for (const answer of [...warmings.splice(0), ...shards.values()]) answer.reject(error);
    shards.clear();
  }

  async function processShard(job: ShardJob, { attempt, signal, onProgress }: ProcessOptions): Promise<unknown> {
    if (!answered && deathsInARow >= GIVE_UP_DEATHS) {
      const message = `the engine process does not come up on this machine: it ${lastDeath}, ${deathsInARow} times in a row`;
      throw new EngineFailure('declined', message);
    }
    const key = jobIdOf(job);
    // Taken again after its lock was lost, while the process still winds up the try before.
    while (shards.has(key)) await shards.get(key)?.promise.catch(() => undefined);
    const process = await start();
    signal.throwIfAborted();
    const answer = createAnswer<unknown>();
    shards.set(key, { ...answer, job, onProgress });
    const abort = (): void => process.send({ type: 'abort', key });
    signal.addEventListener('abort', abort, { once: true });
    process.send({ type: 'shard', key, job, attempt });
    return answer.promise.finally(() => signal.removeEventListener('abort', abort));
  }

  return {
    async warm(job): Promise<Warmed> {
      const process = await start();
      const answer = createAnswer<Warmed>();
      warmings.push(answer);
      process.send({ type: 'warm', job });
      return answer.promise;
    },

    process(job, processOptions): Promise<unknown> {
      const call = processShard(job, processOptions).finally(() => calls.delete(call));
      calls.add(call);
      return call;
    },

    async close({ force = false } = {}): Promise<void> {
      closing.abort(new Error('the worker is closing'));
      if (!force) await Promise.allSettled(calls);
      ending = true;
      if (engine === undefined) return;
      if (force) engine.kill();
      else engine.send({ type: 'close' });
      await engine.ended;
    },
  };
}

function createAnswer<Value>(): Answer<Value> {
  let settle: Pick<Answer<Value>, 'resolve' | 'reject'> | undefined;
  const promise = new Promise<Value>((resolve, reject) => {
    settle = { resolve, reject };
  });
  if (settle === undefined) throw new Error('a promise runs its executor at once');
  return { promise, ...settle };
}

function whileWorkingOn(shards: readonly ShardInHand[]): string {
  if (shards.length === 0) return '';
  const numbers = shards.map(({ job }) => job.shard).sort((a, b) => a - b);
  return ` while working on shard${numbers.length === 1 ? '' : 's'} ${numbers.join(', ')}`;
}
