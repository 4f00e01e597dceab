// The doctor: one line per piece, and a broken piece is a finding, never a crash.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { examine, formatFindings } from '../../setup/src/doctor.ts';
import { redisUrl } from '../support/redis.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('every piece has a finding, and those that run here are fine', async () => {
  vi.stubEnv('REDIS_URL', redisUrl());
  const findings = await examine();
  const pieces = [
    'Node',
    'TensorFlow',
    'ONNX Runtime',
    'telemetry',
    'sharp',
    'Redis',
    'Docker',
    'cache',
    'CPU',
    'memory',
  ];
  expect(findings.map(finding => finding.piece)).toEqual(pieces);
  for (const piece of ['Node', 'ONNX Runtime', 'sharp', 'Redis', 'cache']) {
    expect(findings.find(finding => finding.piece === piece)).toMatchObject({ ok: 'ok' });
  }
  expect(findings.find(finding => finding.piece === 'sharp')?.detail).toMatch(/^\d+\.\d+\.\d+, libvips \d+/);
});

test("ONNX Runtime's telemetry is off, over a user's 0, and what it left before can be deleted", async () => {
  const folder = await temporaryFolder();
  vi.stubEnv('ORT_DISABLE_TELEMETRY', '0');
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
  vi.stubEnv('TMPDIR', folder);
  const before = await examine();
  expect(before.find(({ piece }) => piece === 'ONNX Runtime')).toMatchObject({
    ok: 'ok',
    detail: expect.stringMatching(/^[\d.]+, telemetry off$/),
  });
  expect(before.find(({ piece }) => piece === 'telemetry')).toMatchObject({
    ok: 'ok',
    detail: expect.stringMatching(/^off .* no files of it$/),
  });

  const left = join(folder, 'cache', 'Microsoft', 'DeveloperTools', '.onnxruntime');
  await mkdir(left, { recursive: true });
  for (const name of ['mat-debug-17.log', 'mat-debug-4.log', '.ses', 'mat-debug-mine.log'])
    await writeFile(join(folder, name), '');
  const finding = (await examine()).find(({ piece }) => piece === 'telemetry');
  const files = [left, join(folder, '.ses'), join(folder, 'mat-debug-*.log')];
  expect(finding).toMatchObject({ ok: 'warn', detail: expect.stringContaining(`left ${files.join(', ')}`) });
  expect(finding?.fix).toContain(`delete them: rm -rf ${files.join(' ')}`);
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
