// What the bootstrap calls after the build: prepares the pieces that a start, a test run or a full set-up needs.

import { examine, formatFindings } from './doctor.ts';
import { preparePythonPackages } from './python-packages.ts';
import { unpackDebianRedis } from './redis-debian.ts';
import { findRedisProgram } from './redis-server.ts';
import { prepareTensorFlow } from './tensorflow-library.ts';

export type Log = (line: string) => void;

/** A start doesn't try again within this time what failed before: it would wait for the same dead host each time. */
export const RETRY_AFTER_MS = 600_000;

/** Never fails: without TensorFlow the run goes on with the wasm backend. */
export async function prepareStart(log: Log): Promise<void> {
  const status = await prepareTensorFlow({ log, retryAfterMs: RETRY_AFTER_MS });
  if (!status.available) log(`${status.reason} Layers models run on tfjs' wasm backend instead, more slowly.`);
}

/** Redis and the Python packages of the tests are found by the suite's own global set-up, which prints what it took. */
export async function prepareTest(log: Log): Promise<void> {
  await prepareStart(log);
}

/** Everything, and then what the doctor finds. Returns false where a needed piece is missing. */
export async function prepareAll(log: Log): Promise<boolean> {
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
