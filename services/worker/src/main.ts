// The worker as a service (`npm run worker`, the containers): configured by the environment, logs JSON lines.
import { createLifecycle } from '../../../shared/src/lifecycle.ts';
import { readWorkerConfig } from './config.ts';
import { runWorker } from './run-worker.ts';

const lifecycle = createLifecycle();
await lifecycle.run(async () => {
  const config = readWorkerConfig();
  await runWorker({ ...config, lifecycle });
  return 0;
});
