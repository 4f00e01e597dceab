// What a machine lacks, in the words that end titles and are counted by.

import { afterEach, expect, test, vi } from 'vitest';
import { because, skipAllWithout, whyNot } from './needs.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('a program that is not on the PATH is named, and the first of several needs', () => {
  vi.stubEnv('PATH', '/nowhere');
  expect(whyNot('openssl')).toBe('no openssl');
  expect(whyNot('prlimit', 'openssl')).toBe('no prlimit');
  expect(because(whyNot('openssl'))).toBe(' (skipped: no openssl)');
  expect(because(undefined)).toBe('');
});

test('a TensorFlow that nobody wants is not called missing', () => {
  vi.stubEnv('LAYERTAP_TENSORFLOW', 'off');
  expect(whyNot('tensorflow')).toBe('TensorFlow is switched off');
});

skipAllWithout();

test('a file that needs nothing is not skipped', () => {
  expect(whyNot()).toBeUndefined();
});
