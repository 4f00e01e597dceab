// What a command says at its end about a run: what was written, rows, speed, seconds per stage, how to look at it.
import { join, relative } from 'node:path';
import { fitAdvice } from '../../shared/src/advice.ts';
import { formatBytes } from '../../shared/src/byte-size.ts';
import { explainWarning, WARNING_CODES } from '../../shared/src/feature-warnings.ts';
import type { RunSummary } from '../../shared/src/finish-run.ts';
import { STAGES } from '../../shared/src/receipt.ts';
import type { RunRecord } from '../../shared/src/run.ts';
import { describeSkipped } from '../../shared/src/skipped.ts';

export interface ReportOptions {
  readonly run: RunRecord;
  readonly summary: RunSummary;
  /** Absolute path of the run directory. */
  readonly out: string;
  readonly json: boolean;
}

export function formatReport({ run, summary, out, json }: ReportOptions): string {
  if (json) return JSON.stringify({ event: 'summary', out, ...summary });
  const where = relative(process.cwd(), out) || '.';
  const columns = run.columns.map(({ name, shape }) => `${name} [${shape.join(' × ')}]`);
  const failures = Object.entries(summary.failures).map(([code, count]) => `${count} ${code}`);
  // The guide is written when the run is done.
  const guide = summary.shards === run.shards ? `      How to read it: ${join(where, 'README.md')}` : '';
  const warnings = WARNING_CODES.filter(code => (summary.warnings[code] ?? 0) > 0).map(
    code => `  warning   ${summary.warnings[code]} features have ${explainWarning(code)}`,
  );
  const crashed = summary.failures['crashed-worker'] ?? 0;
  const quarantine = `  quarantine  ${crashed} ${crashed === 1 ? 'image' : 'images'} that killed the engine process, in ${join(where, 'quarantine')}`;
  const stages = STAGES.map(stage => `${stage} ${summary.seconds[stage].toFixed(1)}`);
  return [
    '',
    `  written   ${summary.files} ${summary.files === 1 ? 'part' : 'parts'}, ${formatBytes(summary.bytes)}, in ${join(where, 'parts')}`,
    `  columns   ${columns.join(', ')}`,
    `  rows      ${summary.rows}: ${summary.ok} ok, ${summary.failed} failed${failures.length === 0 ? '' : ` (${failures.join(', ')})`}`,
    ...(crashed > 0 ? [quarantine] : []),
    ...summary.skipped.map(each => `  skipped   ${describeSkipped(each)}`),
    ...warnings,
    `  speed     ${summary.imagesPerSecond.toFixed(1)} images/s on ${summary.engine} (${summary.wallSeconds.toFixed(1)} s of work)`,
    ...(summary.peakBytes > 0 ? [`  memory    ${formatBytes(summary.peakBytes)} in the largest engine process`] : []),
    `  seconds   ${stages.join(', ')} (stages overlap and decode on several threads)`,
    '',
    `  Look at it:  ${fitAdvice(`npx layertap show ${where}`)}${guide}`,
    '',
  ].join('\n');
}
