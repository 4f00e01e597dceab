// Opens as many engine processes as the free memory holds. What one takes is only known once one is warm. For consumer.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { formatBytes } from '../../../shared/src/byte-size.ts';
import { describeError } from '../../../shared/src/errors.ts';
import type { ShardJob } from '../../../shared/src/job.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import type { EngineClientOptions, Warmed } from './engine-client.ts';
import type { Slot } from './slot.ts';

/** How processes are started where so many of them share the processors. */
export type ProcessStart = Pick<EngineClientOptions, 'args' | 'env' | 'maxResidentBytes'>;

export interface MemoryFit {
  /** The free memory holds all processes even of a large model: they start at once, unmeasured. */
  readonly isAmple: boolean;
  /** Bytes that are free now, for this worker and all others of the machine. */
  free(): number;
  startOf(processes: number): ProcessStart;
  /** How many to open where there is no shard to warm one for. */
  readonly unmeasured: number;
}

export interface FitOptions {
  readonly fit: MemoryFit;
  /** Processes that the processors and shards allow. */
  readonly most: number;
  /** Open slots, the processes of which a worker that stops in the meantime kills. */
  readonly slots: Slot[];
  open(start: ProcessStart): Slot;
  readonly job: ShardJob;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * What a process takes at work over what it holds when it is warm: batches, a part, and what libraries keep. Measured: the demo
 * model 152 → 234 MB, MobileNetV2 211 → 288 MB.
 */
const MORE_AT_WORK = 0.2;
const BYTES_AT_WORK = 100e6;
/** Workers that start together take their turns in an order of chance, so that one sees the memory that the other took. */
const LONGEST_PAUSE_MS = 500;

/**
 * Fills `slots` with warm processes, one at least. Where memory is short, one is started, measured and followed by others for
 * as long as the memory that is then free holds another. Other workers may start at the same moment and see the same free
 * memory. So the memory is looked at again when a process is warm: where it does not suffice, that process is closed.
 */
export async function openFitting(options: FitOptions): Promise<void> {
  if (options.fit.isAmple) await openAll(options);
  else await openOneByOne(options);
}

async function openAll(options: FitOptions): Promise<void> {
  const { fit, most, slots, signal } = options;
  const start = fit.startOf(most);
  slots.push(...Array.from({ length: most }, () => options.open(start)));
  const warmed = await Promise.all(slots.map(slot => warm(slot, options)));
  const held = Math.max(0, ...warmed.map(each => each?.residentBytes ?? 0));
  while (slots.length > 1 && !signal.aborted && isShort(fit, held)) {
    tellShort(options, held);
    await slots.pop()?.close({ force: true });
  }
}

async function openOneByOne(options: FitOptions): Promise<void> {
  const { fit, most, slots, signal, logger } = options;
  const open = async (start: ProcessStart): Promise<Warmed | undefined> => {
    const slot = options.open(start);
    slots.push(slot);
    return warm(slot, options);
  };
  const first = await open(fit.startOf(most));
  if (first === undefined) return;
  let held = first.residentBytes;
  const fitting = Math.max(1, Math.min(most, 1 + Math.floor(fit.free() / (held + moreAtWork(held)))));
  logger.log(
    'info',
    `an engine process holds ${formatBytes(held)}: the memory is enough for ${fitting} of ${most}, with ${formatBytes(fit.free())} free`,
  );
  if (fitting < most) {
    // Fewer processes have more threads each.
    await slots.pop()?.close({ force: true });
    signal.throwIfAborted();
    held = (await open(fit.startOf(fitting)))?.residentBytes ?? held;
  }
  while (slots.length < fitting) {
    await sleep(Math.random() * LONGEST_PAUSE_MS, undefined, { signal });
    if (fit.free() < held + moreAtWork(held)) return tellShort(options, held);
    const next = await open(fit.startOf(fitting));
    signal.throwIfAborted();
    if (next !== undefined && !isShort(fit, held)) continue;
    if (next !== undefined) tellShort(options, held);
    await slots.pop()?.close({ force: true });
    return;
  }
}

/** Whether what the warm processes have yet to take is not there. */
function isShort(fit: MemoryFit, held: number): boolean {
  return fit.free() < moreAtWork(held);
}

function moreAtWork(held: number): number {
  return held * MORE_AT_WORK + BYTES_AT_WORK;
}

function tellShort({ fit, slots, logger }: FitOptions, held: number): void {
  logger.log(
    'warn',
    `the memory is short: ${formatBytes(fit.free())} are free, an engine process holds ${formatBytes(held)}; others took it since`,
    { processes: slots.length },
  );
}

/** A failure is only told here: each shard gets its own verdict from the process that takes it. */
async function warm(slot: Slot, { job, logger }: FitOptions): Promise<Warmed | undefined> {
  try {
    const warmed = await slot.warm(job);
    logger.log('debug', 'engine process is warm', { ...warmed });
    return warmed;
  } catch (error) {
    logger.log('warn', `warming failed: ${describeError(error)}`);
    return undefined;
  }
}
