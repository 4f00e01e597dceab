// What the bootstrap calls after the build: prepares the pieces that a start, a test run or a full set-up needs.

import { examine, formatFindings } from './doctor.ts';
import { preparePythonPackages } from './python-packages.ts';
import { unpackDebianRedis } from './redis-debian.ts';
import { findRedisProgram } from './redis-server.ts';
import { prepareTensorFlow, type TensorFlowStatus } from './tensorflow-library.ts';
import { prepareBuildTools } from './tools.ts';

export type Log = (line: string) => void;

/** A start doesn't try again within this time what failed before: it would wait for the same dead host each time. */
export const RETRY_AFTER_MS = 600_000;

/** Never fails: without TensorFlow compiled models are compared with the wasm backend instead. */
export async function prepareStart(log: Log): Promise<void> {
  report(await prepareTensorFlow({ log, retryAfterMs: RETRY_AFTER_MS }), log);
}

/** Redis and the Python packages of the tests are found by the suite's own global set-up, which prints what it took. */
export async function prepareTest(log: Log): Promise<void> {
  const unpacked = await prepareBuildTools(log);
  report(await prepareTensorFlow({ log, retryAfterMs: unpacked ? 0 : RETRY_AFTER_MS }), log);
}

function report(status: TensorFlowStatus, log: Log): void {
  if (status.available) return;
  log(`${status.reason} Models run compiled all the same; only those that cannot be compiled take longer, on wasm.`);
}

/** Everything, and then what the doctor finds. Returns false where a needed piece is missing. */
export async function prepareAll(log: Log): Promise<boolean> {
  await prepareBuildTools(log);
  const status = await prepareTensorFlow({ log });
  if (!status.available) log(status.reason);
  await attempt(log, () => preparePythonPackages('interop', { log }));
  if (!findRedisProgram()) await attempt(log, () => unpackDebianRedis({ log }));
  const findings = await examine();
  process.stdout.write(`${formatFindings(findings)}\n`);
  return findings.every(finding => finding.ok !== 'missing');
}

async function attempt(log: Log, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    log(error instanceof Error ? error.message : String(error));
  }
}
