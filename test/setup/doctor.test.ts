// The doctor: one line per piece, and a broken piece is a finding, never a crash.

import { afterEach, expect, test, vi } from 'vitest';
import { examine, formatFindings } from '../../setup/src/doctor.ts';
import { redisUrl } from '../support/redis.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('every piece has a finding, and those that run here are fine', async () => {
  vi.stubEnv('REDIS_URL', redisUrl());
  const findings = await examine();
  const pieces = ['Node', 'TensorFlow', 'ONNX Runtime', 'sharp', 'Redis', 'Docker', 'cache', 'CPU', 'memory'];
  expect(findings.map(finding => finding.piece)).toEqual(pieces);
  for (const piece of ['Node', 'ONNX Runtime', 'sharp', 'Redis', 'cache']) {
    expect(findings.find(finding => finding.piece === piece)).toMatchObject({ ok: 'ok' });
  }
  expect(findings.find(finding => finding.piece === 'sharp')?.detail).toMatch(/^\d+\.\d+\.\d+, libvips \d+/);
});

test('what is missing comes with a fix, and no password is shown', async () => {
  vi.stubEnv('REDIS_URL', 'redis://:secret@127.0.0.1:1');
  vi.stubEnv('LAYERTAP_CACHE', '/dev/null/cache');
  vi.stubEnv('LAYERTAP_TENSORFLOW', 'off');
  vi.stubEnv('PATH', '/nowhere');
  const findings = await examine();
  for (const piece of ['TensorFlow', 'Redis', 'Docker', 'cache']) {
    const finding = findings.find(found => found.piece === piece);
    expect(finding).toMatchObject({ ok: 'warn', fix: expect.any(String) });
  }
  const text = formatFindings(findings);
  expect(text).not.toContain('secret');
  expect(text).toContain('Expected a Redis server at redis://:***@127.0.0.1:1 but received no answer');
});

test('the report aligns its columns and keeps fixes for what needs one', () => {
  const text = formatFindings([
    { piece: 'Node', ok: 'ok', detail: 'v24', fix: 'unused' },
    { piece: 'ONNX Runtime', ok: 'missing', detail: 'gone', fix: 'install it' },
  ]);
  expect(text.split('\n')).toEqual([
    'ok      Node          v24',
    'missing ONNX Runtime  gone',
    '                      → install it',
  ]);
});
