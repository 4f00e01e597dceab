// A run that began on TensorFlow goes on where TensorFlow is, or is refused before any work; nothing is fetched untold.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tensorFlowStatus } from '../../setup/src/tensorflow-library.ts';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { run } from '../support/layertap.ts';

const demo = useDemoSet();

it('resume names the engine that is missing and how to get it', async context => {
  const status = tensorFlowStatus();
  if (!status.available) return context.skip(status.reason);
  const out = join(demo.root, 'out');
  const request = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'tensorflow', '--limit', '4'];
  expect((await run(['extract', demo.images, ...request, '--out', out])).code).toBe(0);
  await rm(join(out, 'receipts', '000', '000000.json'));
  const env = { LAYERTAP_TENSORFLOW: 'off' };
  const { code, stderr } = await run(['resume', out], { env });
  expect(code).toBe(1);
  expect(stderr).toMatch(/`tensorflow`, which the run began with, but it cannot be had: TensorFlow is switched off/);
  expect(stderr).toMatch(/npx layertap setup`, or repeat this command with `--prepare`/);
  expect((await run(['resume', out])).code).toBe(0);
});
