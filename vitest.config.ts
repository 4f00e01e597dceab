// How the tests run: in child processes, two at a time, with one Redis and one set of Python packages for all of them.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    // Native engines need processes: two tfjs-node worker threads crash.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    env: { TF_CPP_MIN_LOG_LEVEL: '3' },
  },
});
