// Extends a finished run: images that its source has by now go behind those of its manifest. What is there keeps its row.
import { Refusal } from '../../../shared/src/errors.ts';
import { manifestFolder, type Sample } from '../../../shared/src/manifest.ts';
import { openManifestReader } from '../../../shared/src/manifest-reader.ts';
import { openManifestWriter } from '../../../shared/src/manifest-writer.ts';
import {
  encodeJson,
  newRunId,
  RUN_FILE,
  type RunRecord,
  receiptPath,
  requireUnchanged,
  SUMMARY_FILE,
  shardName,
} from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { outputBytes, requireRoom } from './output-size.ts';
import { requireFinished } from './require-finished.ts';
import { openSource } from './source.ts';

export interface ExtendedRun {
  readonly run: RunRecord;
  /** Images that came to the manifest. */
  readonly added: number;
}

/** Ids of the run that are held in memory, at about 100 bytes each. */
const KNOWN_SAMPLES = 5_000_000;

/**
 * Writes the longer manifest beside the old one; then the summary goes, and then run.json takes the place of the old. A last shard
 * that was not full is not done any more: its receipt goes, or `resume` finds that it counts too few rows.
 */
export async function extendRun(storage: Storage, run: RunRecord, signal: AbortSignal): Promise<ExtendedRun> {
  await requireExtendable(storage, run);
  // As the run was begun: one of an earlier version has no column of splits.
  const splits = run.carried.some(({ name }) => name === 'split');
  const source = await openSource(run.source, { ...run.sourceSettings, splits, recorded: run.carried });
  if (JSON.stringify(source.carried) !== JSON.stringify(run.carried)) {
    const names = (columns: RunRecord['carried']): string =>
      columns.map(({ name, type }) => `${name} ${type}`).join(', ');
    throw new Refusal(
      'run-mismatch',
      `Expected the columns of '${run.source}' as the run has them (${names(run.carried)}) but they are ${names([...source.carried])}`,
      { hint: 'Put the columns back, or extract into another directory.' },
    );
  }
  const runId = newRunId();
  const writer = openManifestWriter(storage, runId, run.carried);
  const removeManifest = (): Promise<void> => storage.removeFolder(manifestFolder(runId));
  try {
    const known = new Set<string>();
    for await (const sample of openManifestReader(storage, run.runId).read(0, run.manifest.rows)) {
      signal.throwIfAborted();
      known.add(sample.sampleId);
      await writer.add(sample);
    }
    const added = new Map<string, Sample>();
    for await (const sample of source.samples()) {
      signal.throwIfAborted();
      if (known.has(sample.sampleId)) continue;
      const before = added.get(sample.sampleId);
      if (before !== undefined) throw duplicateSample(before, sample);
      added.set(sample.sampleId, sample);
      await writer.add(sample);
    }
    if (added.size === 0) {
      await removeManifest();
      return { run, added: 0 };
    }
    const manifest = await writer.close();
    const bytes = outputBytes(run.columns, added.size, run.request.format);
    await requireRoom(bytes, added.size, { out: storage.root, maxOutput: undefined });
    const skipped = source.skipped?.() ?? [];
    const extended: RunRecord = {
      ...run,
      runId,
      manifest,
      skipped: skipped.length === 0 ? undefined : [...skipped],
      shards: Math.ceil(manifest.rows / run.shardSize),
    };
    requireSameNames(run, extended);
    await requireUnchanged(storage, run);
    await storage.remove(SUMMARY_FILE);
    await storage.replace(RUN_FILE, encodeJson(extended));
    if (run.manifest.rows % run.shardSize > 0) await storage.remove(receiptPath(run, run.shards - 1));
    return { run: extended, added: added.size };
  } catch (error) {
    await removeManifest();
    throw error;
  }
}

async function requireExtendable(storage: Storage, run: RunRecord): Promise<void> {
  await requireFinished(storage, run);
  if (run.limit !== undefined) {
    throw new Refusal('run-mismatch', `Expected a run of its whole source but it took the first ${run.limit} images`, {
      hint: 'Extract into another directory, without --limit.',
    });
  }
  if (run.manifest.rows > KNOWN_SAMPLES) {
    throw new Refusal(
      'run-mismatch',
      `Expected a run of at most ${KNOWN_SAMPLES} images, whose ids fit into memory, but it has ${run.manifest.rows}`,
      { hint: 'Extract the new images into another directory.' },
    );
  }
}

/** Shards are padded to their count: receipts of old must keep their paths. */
function requireSameNames(run: RunRecord, extended: RunRecord): void {
  if (shardName(run, 0) === shardName(extended, 0)) return;
  throw new Refusal('run-mismatch', `Expected fewer than ${run.shards} more shards but there are ${extended.shards}`, {
    hint: 'Extract the new images into another directory.',
  });
}

function duplicateSample(a: Sample, b: Sample): Refusal {
  return new Refusal(
    'duplicate-sample',
    `Expected every sample_id once but '${a.sampleId}' names both '${a.uri}' and '${b.uri}'`,
    { hint: 'Give the list a sample_id column of its own.' },
  );
}
