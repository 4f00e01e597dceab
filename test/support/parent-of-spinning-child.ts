// A worker's parent that exits while its engine process is deep in native code. Prints that process' id.

import { openEngineClient } from '../../services/worker/src/engine-client.ts';
import { silentLogger } from '../../shared/src/logger.ts';

const client = openEngineClient({
  script: new URL('./protocol-child.ts', import.meta.url),
  execArgv: ['--import', 'tsx'],
  env: process.env,
  logger: {
    ...silentLogger,
    log(_level, _message, fields) {
      process.stdout.write(`${String(fields?.pid)}\n`);
    },
  },
});
await client.process(
  { version: 1, out: '/out', runId: 'run', fingerprint: 'spin', shard: 0 },
  { attempt: 1, signal: new AbortController().signal, onProgress: () => process.exit(0) },
);
