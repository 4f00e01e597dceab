// What an ONNX Runtime with its telemetry on has left on this machine: an earlier version of Layertap did not switch it off. For the doctor.
import { lstat, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setupConfig } from './config.ts';

/** In the folder for temporary files, one for each process. */
const LOG = /^mat-debug-\d+\.log$/;
const LOGS = 'mat-debug-*.log';

/**
 * Paths of this user's own, the logs as a pattern: an identifier of the machine, events that were not sent, what was done to send
 * them. Any program with the library may have left them.
 */
export async function telemetryLeftovers(): Promise<readonly string[]> {
  const { onnxTelemetryFolder } = setupConfig();
  const temporary = tmpdir();
  // The last one is in the working directory, where the home could not be written.
  const files = [onnxTelemetryFolder, join(temporary, '.ses'), join(process.cwd(), ':memory:.ses')];
  const found = await Promise.all(files.map(async path => ((await isOwn(path)) ? [path] : [])));
  const logs = (await readdir(temporary).catch(() => [])).filter(name => LOG.test(name));
  const ownLogs = await Promise.all(logs.map(name => isOwn(join(temporary, name))));
  return [...found.flat(), ...(ownLogs.includes(true) ? [join(temporary, LOGS)] : [])];
}

async function isOwn(path: string): Promise<boolean> {
  const own = process.getuid?.();
  return lstat(path).then(
    ({ uid }) => own === undefined || uid === own,
    () => false,
  );
}
