// Finds the real Redis and the Python packages that all tests share, once per run, and says which it took.

import type { TestProject } from 'vitest/node';
import { preparePythonPackages } from '../setup/src/python-packages.ts';
import { tensorFlowStatus } from '../setup/src/tensorflow-library.ts';
import { findRedis } from './support/redis-sources.ts';

/** What a test gets, or the reason why it can't. */
export type Provided<T> = ({ readonly ready: true } & T) | { readonly ready: false; readonly reason: string };

declare module 'vitest' {
  export interface ProvidedContext {
    redis: Provided<{ readonly url: string; readonly origin: string }>;
    python: Provided<{ readonly python: string; readonly pythonPath: string }>;
  }
}

export default async function globalSetup(project: TestProject): Promise<() => Promise<void>> {
  const log = (line: string): void => void process.stderr.write(`[layertap] ${line}\n`);
  const tensorFlow = tensorFlowStatus();
  log(tensorFlow.available ? `TensorFlow ${tensorFlow.version}, ${tensorFlow.origin}` : tensorFlow.reason);
  const [redis, python] = await Promise.allSettled([findRedis(log), preparePythonPackages('interop', { log })]);
  if (redis.status === 'fulfilled') {
    log(`Redis: ${redis.value.origin}`);
    project.provide('redis', { ready: true, url: redis.value.url, origin: redis.value.origin });
  } else {
    log(reasonOf(redis));
    project.provide('redis', { ready: false, reason: reasonOf(redis) });
  }
  if (python.status === 'fulfilled') {
    project.provide('python', { ready: true, ...python.value });
  } else {
    log(reasonOf(python));
    project.provide('python', { ready: false, reason: reasonOf(python) });
  }
  return async () => {
    if (redis.status === 'fulfilled') await redis.value.close();
  };
}

function reasonOf(result: PromiseRejectedResult): string {
  return result.reason instanceof Error ? result.reason.message : String(result.reason);
}
