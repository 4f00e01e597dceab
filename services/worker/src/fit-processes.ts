// Opens as many engine processes as the free memory holds. What one takes is only known once one is warm. For consumer.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { formatBytes } from '../../../shared/src/byte-size.ts';
import { describeError } from '../../../shared/src/errors.ts';
import type { ShardJob } from '../../../shared/src/job.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import type { EngineClientOptions } from './engine-client.ts';
import type { Slot } from './slot.ts';
import { PROCESS_BYTES } from './split-processors.ts';

/** How processes are started where so many of them share the processors. */
export type ProcessStart = Pick<EngineClientOptions, 'args' | 'env' | 'maxResidentBytes'>;

export interface MemoryFit {
  /** The memory that is free now holds all processes even of a large model: they start at once. */
  isAmple(): boolean;
  /** Bytes that are free now, for this worker and all others of the machine. */
  free(): number;
  startOf(processes: number): ProcessStart;
  /** How many to open where none can be measured. */
  readonly unmeasured: number;
}

export interface FitOptions {
  readonly fit: MemoryFit;
  /** Processes that the processors and shards allow. */
  readonly most: number;
  /** Open slots, the processes of which a worker that stops in the meantime kills. */
  readonly slots: Slot[];
  create(start: ProcessStart): Slot;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface Fitting {
  /** Whether the memory holds the model of that job's run in each open process, as far as can be told without measuring it. */
  suits(job: ShardJob): boolean;
  /** Opens as many slots as fit, warm for that job. Closes those that are open before: none may have a shard in hand. */
  open(job: ShardJob | undefined): Promise<void>;
}

/**
 * What a process takes at work over what it holds when it is warm: batches, a part, and what libraries keep. Measured: the demo
 * model 152 → 234 MB, MobileNetV2 211 → 288 MB.
 */
const MORE_AT_WORK = 0.2;
const BYTES_AT_WORK = 100e6;
/** Workers that start together take their turns in an order of chance, so that one sees the memory that the other took. */
const LONGEST_PAUSE_MS = 500;
/** How often the free memory is looked at while processes load their models. */
const LOOK_MS = 100;

/**
 * Where memory is short, one process is started, measured and followed by others for as long as the memory that is then free
 * holds another. Other workers may start at the same moment and see the same free memory. So the memory is watched while
 * processes become warm, also where all start at once: where it does not suffice, the newest process is closed.
 */
export function createFitting(options: FitOptions): Fitting {
  const { fit, most, slots, signal, logger } = options;
  /** Fingerprints of the runs for whose models the open slots are not too many. */
  const suited = new Set<string>();
  /** Bytes that a warm process holds, of those that were opened last. */
  let held: number | undefined;

  async function openMeasured(job: ShardJob): Promise<void> {
    const first = fit.isAmple() ? most : 1;
    await openWarm(first, most, job);
    if (first === most || held === undefined) return;
    const fitting = Math.max(1, Math.min(most, Math.floor((fit.free() + held) / (held + moreAtWork(held)))));
    logger.log(
      'info',
      `an engine process holds ${formatBytes(held)}: the memory is enough for ${fitting} of ${most}, with ${formatBytes(fit.free())} free`,
    );
    // Fewer processes have more threads and more memory each.
    if (fitting < most) await closeAll();
    while (slots.length < fitting) {
      if (slots.length > 0) {
        await sleep(Math.random() * LONGEST_PAUSE_MS, undefined, { signal });
        const needed = held + (slots.length + 1) * moreAtWork(held);
        if (fit.free() < needed) return tellShort(needed);
      }
      const before = slots.length;
      const isWarm = await openWarm(1, fitting, job);
      if (slots.length <= before) return;
      if (!isWarm && before > 0) return slots.pop()?.close({ force: true });
    }
  }

  /** Closes the newest ones again where the memory is short, all but one. Resolves to whether all became warm. */
  async function openWarm(count: number, processes: number, job: ShardJob): Promise<boolean> {
    signal.throwIfAborted();
    const start = fit.startOf(processes);
    const opened = Array.from({ length: count }, () => options.create(start));
    slots.push(...opened);
    const warmed = Promise.all(opened.map(slot => warm(slot, job)));
    let results: readonly boolean[] | undefined;
    while (results === undefined) {
      results = await Promise.race([warmed, sleep(LOOK_MS, undefined)]);
      while (slots.length > 1 && !signal.aborted) {
        const needed = slots.length * moreAtWork(held ?? PROCESS_BYTES);
        if (fit.free() >= needed) break;
        tellShort(needed);
        await slots.pop()?.close({ force: true });
      }
    }
    signal.throwIfAborted();
    return results.every(isWarm => isWarm);
  }

  /** A failure is only told here: each shard gets its own verdict from the process that takes it. */
  async function warm(slot: Slot, job: ShardJob): Promise<boolean> {
    try {
      const warmed = await slot.warm(job);
      held = Math.max(held ?? 0, warmed.residentBytes);
      logger.log('debug', 'engine process is warm', { ...warmed });
      return true;
    } catch (error) {
      // One that was closed for the memory has not failed.
      if (slots.includes(slot)) logger.log('warn', `warming failed: ${describeError(error)}`);
      return false;
    }
  }

  function tellShort(needed: number): void {
    logger.log(
      'warn',
      `the memory is short: ${formatBytes(fit.free())} are free, ${formatBytes(needed)} are needed; others took it since`,
      { processes: slots.length },
    );
  }

  async function closeAll(): Promise<void> {
    await Promise.all(slots.splice(0).map(slot => slot.close({ force: true })));
  }

  return {
    suits({ fingerprint }): boolean {
      if (!suited.has(fingerprint) && slots.length === most && fit.isAmple()) suited.add(fingerprint);
      return suited.has(fingerprint);
    },

    async open(job): Promise<void> {
      const before = slots.length;
      await closeAll();
      held = undefined;
      if (job !== undefined) await openMeasured(job);
      // Not even one became warm: there is nothing to count with.
      if (held === undefined && slots.length < most) {
        await closeAll();
        signal.throwIfAborted();
        const count = before || fit.unmeasured;
        slots.push(...Array.from({ length: count }, () => options.create(fit.startOf(count))));
      }
      // What is measured holds for so many processes and for fewer.
      if (slots.length > before) suited.clear();
      if (job !== undefined) suited.add(job.fingerprint);
    },
  };
}

function moreAtWork(held: number): number {
  return held * MORE_AT_WORK + BYTES_AT_WORK;
}
