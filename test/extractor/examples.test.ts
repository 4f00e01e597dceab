// The examples of the five ways run as a user runs them: plain node, the built package, no arguments.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { because } from '../support/needs.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const lack = existsSync(`${root}dist/extractor/src/index.js`) ? undefined : 'no build';

test.skipIf(lack).each([
  ['1-sub-model', ['relu3 [4,16,16,64], features [4,96]']],
  [
    '2-direct-access',
    [
      'conv1: 432 parameters',
      'conv2: 4608 parameters',
      'conv3: 18432 parameters',
      'conv4: 55296 parameters',
      'relu1 [4,64,64,16]',
      'relu2 [4,32,32,32]',
      'relu3 [4,16,16,64]',
      'relu4 [4,8,8,96]',
      'features [4,96]',
      'predictions [4,10]',
    ],
  ],
  ['3-tap', ['predictions [4,10], features [4,96]']],
  [
    '4-fit-callback',
    [
      'epoch 1, step 3: features [16,4]',
      'epoch 1, step 4: features [16,4]',
      'epoch 2, step 6: features [16,4]',
      'epoch 2, step 8: features [16,4]',
    ],
  ],
  [
    '5-inline',
    [
      'features [2,96], 192 values',
      'relu1 [1,16]',
      'relu2 [1,32]',
      'relu3 [1,64]',
      'relu4 [1,96]',
      'predictions [1,10]',
    ],
  ],
])(`examples/%s.mjs prints what it promises${because(lack)}`, async (name, lines) => {
  const { stdout } = await run(process.execPath, [`examples/${name}.mjs`], { cwd: root });
  expect(stdout.trim().split('\n')).toEqual(lines);
});

test.skipIf(lack)(`importing the package loads neither TensorFlow.js nor native code${because(lack)}`, async () => {
  const script = `
    import { createRequire } from 'node:module';
    await import('layertap');
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    console.log(JSON.stringify(loaded.filter(path => /tensorflow|onnxruntime|sharp|\\.node$/.test(path))));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: root });
  expect(JSON.parse(stdout)).toEqual([]);
});
