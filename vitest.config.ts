// How the tests run: in child processes, two at a time, with one Redis and one set of Python packages for all of them.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    // Native engines need processes: two tfjs-node worker threads crash.
    pool: 'forks',
    maxWorkers: 2,
    // These end what hangs. On a loaded machine a test that starts a dozen processes was seen to take a hundred times as long as on an idle one.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    reporters: ['default', './test/support/skip-reporter.ts'],
    env: { TF_CPP_MIN_LOG_LEVEL: '3' },
  },
});
