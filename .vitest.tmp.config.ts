import { defineConfig } from 'vitest/config';
export default defineConfig({ test: { include: ['test/extractor/**/*.test.ts'], exclude: ['test/extractor/preprocess/**'], pool: 'forks', maxWorkers: 2, testTimeout: 60000, hookTimeout: 120000, env: { TF_CPP_MIN_LOG_LEVEL: '3' } } });
