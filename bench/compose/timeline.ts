// What a finished run and the logs of its processes tell of its course: for one row of the table.
import { z } from 'zod';
import { openRun, readReceipts } from '../../shared/src/run.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';

export interface Course {
  /** From the moment at which every engine process was ready to the last row. */
  readonly imagesPerSecond: number;
  /** From the command to the end of the first batch. */
  readonly secondsToFirstRow: number;
  /** Largest resident memory of each engine process. */
  readonly processBytes: readonly number[];
  /** Processor seconds of each engine process from its start to its first batch; empty where the log does not tell. */
  readonly processorSeconds: readonly number[];
  readonly engine: string;
}

const LogLine = z.looseObject({ time: z.string(), message: z.string() });
type LogLine = z.output<typeof LogLine>;

/** @param folder of the run @param logs of all processes that had engine processes @param startedAt in milliseconds */
export async function readCourse(folder: string, logs: string, startedAt: number): Promise<Course> {
  const storage = openFileStorage(folder);
  const run = await openRun(storage);
  const ready = logLines(logs).filter(({ message }) => message.includes('ready for the first batch'));
  if (ready.length === 0) throw new Error('Expected a line of the log for each engine process that is ready');
  const allReady = Math.max(...ready.map(({ time }) => Date.parse(time)));
  const peaks = new Map<string, number>();
  let rowsAfter = 0;
  let last = 0;
  let firstRow = Number.POSITIVE_INFINITY;
  for await (const { rows, totalSeconds, finishedAt, worker } of readReceipts(storage, run)) {
    const end = Date.parse(finishedAt);
    const start = end - totalSeconds * 1000;
    // A shard that was in work at that moment counts for the part that came after it.
    rowsAfter += (rows * Math.min(Math.max(end - allReady, 0), end - start)) / Math.max(end - start, 1);
    last = Math.max(last, end);
    firstRow = Math.min(firstRow, start + ((end - start) * Math.min(run.request.batch, rows)) / rows);
    const process = `${worker.name}/${worker.pid}`;
    peaks.set(process, Math.max(worker.peakBytes ?? 0, peaks.get(process) ?? 0));
  }
  return {
    imagesPerSecond: (rowsAfter / (last - allReady)) * 1000,
    secondsToFirstRow: (firstRow - startedAt) / 1000,
    processBytes: [...peaks.values()],
    processorSeconds: ready.flatMap(({ message }) => processorSecondsIn(message)),
    engine: `${run.request.engine}${run.request.lowering === undefined ? '' : ', compiled'}`,
  };
}

/** "… ready for the first batch, 0.9 s after its process began (0.58 s of processor time; …)" */
function processorSecondsIn(message: string): readonly number[] {
  const seconds = /\(([\d.]+) s of processor time/.exec(message)?.[1];
  return seconds === undefined ? [] : [Number(seconds)];
}

/** Native libraries print lines of their own between them. */
function logLines(text: string): readonly LogLine[] {
  return text.split('\n').flatMap(line => {
    if (!line.startsWith('{')) return [];
    const parsed = LogLine.safeParse(JSON.parse(line));
    return parsed.success ? [parsed.data] : [];
  });
}
