// What an engine process prints reaches standard error, less what TensorFlow says at every start. For engine-fork.ts.
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** No setting silences these: TensorFlow logs them before its log level is read. */
const ROUTINE = [/^WARNING: All log messages before absl::InitializeLog\(\)/, /oneDNN custom operations are on/];

/** Native libraries print to standard output too, which belongs to `--json`: all of it goes to standard error. */
export function passOutputOn(streams: readonly (Readable | null)[]): void {
  for (const input of streams) {
    if (input === null) continue;
    createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }).on('line', line => {
      if (!ROUTINE.some(pattern => pattern.test(line))) process.stderr.write(`${line}\n`);
    });
  }
}
