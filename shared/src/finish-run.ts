// The end of a run: when every shard has its receipt, garbage goes and the summary and the guides for readers appear.

import { Refusal } from './errors.ts';
import { removeGarbage } from './garbage.ts';
import { outputQueries, outputReadme } from './output-guide.ts';
import { addCounts, noSeconds, type ShardReceipt, STAGES, type StageSeconds } from './receipt.ts';
import { modelsOf } from './request.ts';
import type { RunRecord } from './run.ts';
import { encodeJson, missingShards, readReceipts, SUMMARY_FILE } from './run.ts';
import { createSharedFiles } from './shared-files.ts';
import type { Skipped } from './skipped.ts';
import type { Storage } from './storage.ts';
import { collectVersions } from './versions.ts';

export interface RunSummary {
  readonly rows: number;
  readonly ok: number;
  readonly failed: number;
  /** Failed rows per error code. */
  readonly failures: Readonly<Record<string, number>>;
  /** What the source passed over: it has no rows. */
  readonly skipped: readonly Skipped[];
  /** Feature vectors in which the range check found something, per warning code. */
  readonly warnings: Readonly<Record<string, number>>;
  /** Rows over `wallSeconds`. */
  readonly imagesPerSecond: number;
  /** Time in which at least one shard was being worked on: pauses between a stop and a resume do not count. */
  readonly wallSeconds: number;
  /** Summed over all shards; stages overlap and run on several threads, so they exceed the wall clock. */
  readonly seconds: StageSeconds;
  /** Of several models on different engines, all of them. */
  readonly engine: string;
  readonly shards: number;
  readonly files: number;
  readonly bytes: number;
  readonly workers: readonly string[];
  /** Resident memory of the largest engine process; 0 where no receipt tells. */
  readonly peakBytes: number;
  /** More than one entry per library means that workers differed. */
  readonly versions: Readonly<Record<string, readonly string[]>>;
  readonly columns: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly fingerprint: string;
}

/**
 * Writes summary.json, README.md and queries.sql once no shard is missing; undefined before that, and while a compaction,
 * a retry or added layers stand half done: whoever reads all files of `parts/` would see rows twice, or without a column.
 * Safe to call from several workers at once: all write the same.
 */
export async function finishRun(storage: Storage, run: RunRecord): Promise<RunSummary | undefined> {
  if (run.adding !== undefined || (await missingShards(storage, run)).length > 0) return undefined;
  const shared = createSharedFiles();
  const summary = await summarizeRun(storage, run, shared.add);
  if (shared.incomplete().length > 0) return undefined;
  await removeGarbage(storage, run);
  await storage.replace('README.md', new TextEncoder().encode(outputReadme(run, summary)));
  await storage.replace('queries.sql', new TextEncoder().encode(outputQueries(run)));
  await storage.replace(SUMMARY_FILE, encodeJson(summary));
  return summary;
}

/** What keeps a run without summary of which every shard is done. */
export function halfMoved(storage: Storage, run: RunRecord): Refusal {
  if (run.adding !== undefined) {
    return new Refusal(
      'run-incomplete',
      `Every shard in '${storage.root}' is done but an \`add-layer\` did not end: some parts lack its columns`,
      { hint: `If it is not at work: npx layertap resume ${storage.root} ends it.` },
    );
  }
  return new Refusal(
    'run-incomplete',
    `Every shard in '${storage.root}' is done but a compaction or retry did not end: some rows lie in two files`,
    {
      hint: `If none is at work: npx layertap compact ${storage.root} ends it, npx layertap resume ${storage.root} undoes it.`,
    },
  );
}

/** What the receipts that are there add up to; of an unfinished run too. */
export async function summarizeRun(
  storage: Storage,
  run: RunRecord,
  onReceipt?: (receipt: ShardReceipt) => void,
): Promise<RunSummary> {
  const totals = { rows: 0, ok: 0, failed: 0, shards: 0, files: 0, bytes: 0, peakBytes: 0 };
  const failures: Record<string, number> = {};
  const warnings: Record<string, number> = {};
  const seconds = noSeconds();
  const workers = new Set<string>();
  const versions = new Map<string, Set<string>>();
  const intervals: Interval[] = [];
  for await (const receipt of readReceipts(storage, run)) {
    onReceipt?.(receipt);
    totals.rows += receipt.rows;
    totals.ok += receipt.ok;
    totals.failed += receipt.failed;
    totals.shards++;
    // A file of several shards counts with the first of them.
    const files = receipt.files.filter(({ range }) => range === undefined || range.first === 0);
    totals.files += files.length;
    totals.peakBytes = Math.max(totals.peakBytes, receipt.worker.peakBytes ?? 0);
    totals.bytes += files.reduce((sum, file) => sum + file.bytes, 0);
    addCounts(failures, receipt.failures);
    addCounts(warnings, receipt.warnings);
    for (const stage of STAGES) seconds[stage] += receipt.seconds[stage];
    workers.add(`${receipt.worker.host}/${receipt.worker.name}`);
    collectVersions(versions, receipt);
    const finished = Date.parse(receipt.finishedAt) / 1000;
    intervals.push([finished - receipt.totalSeconds, finished]);
  }
  const wallSeconds = coveredSeconds(intervals);
  return {
    ...totals,
    failures,
    skipped: run.skipped ?? [],
    warnings,
    imagesPerSecond: wallSeconds > 0 ? totals.rows / wallSeconds : 0,
    wallSeconds,
    seconds,
    engine: [...new Set(modelsOf(run.request).map(({ engine }) => engine))].join(', '),
    workers: [...workers].sort(),
    versions: Object.fromEntries([...versions].map(([name, set]) => [name, [...set].sort()])),
    columns: run.columns.map(({ name, shape }) => ({ name, shape })),
    fingerprint: run.fingerprint,
  };
}

/** Begin and end, in seconds. */
type Interval = readonly [begin: number, end: number];

/** Length of the union of the intervals. */
function coveredSeconds(intervals: readonly Interval[]): number {
  let covered = 0;
  let reached = Number.NEGATIVE_INFINITY;
  for (const [begin, end] of [...intervals].sort((a, b) => a[0] - b[0])) {
    covered += Math.max(0, end - Math.max(begin, reached));
    reached = Math.max(reached, end);
  }
  return covered;
}
