// Runs a piece of Python with Keras and TensorFlow where the conformance run has installed them: 1.5 GB, so no test does.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describeFailure, runCommand } from '../../setup/src/command.ts';
import { setupConfig } from '../../setup/src/config.ts';
import { findPython } from '../../setup/src/python.ts';

const PACKAGES = join(setupConfig().installedRoot, 'python');

/** The installed set; its last file is written when it is whole. */
const found = (existsSync(PACKAGES) ? readdirSync(PACKAGES) : []).find(
  name => name.startsWith('keras-') && existsSync(join(PACKAGES, name, 'packages.json')),
);

export const whyNoKeras = found === undefined ? ` (skipped: no Keras below ${PACKAGES})` : '';

/** The snippet finds `input` as the variable `given`, and prints one JSON value as its last line, which is returned. */
export async function runKeras<T>(snippet: string, input: unknown): Promise<T> {
  const python = await findPython();
  if (found === undefined || !python) throw new Error(`no Keras below ${PACKAGES}`);
  const result = await runCommand(
    python.command,
    ['-c', `import json, sys\ngiven = json.load(sys.stdin)\n${snippet}`],
    {
      timeoutMs: 300_000,
      input: JSON.stringify(input),
      env: { PYTHONPATH: join(PACKAGES, found), PYTHONDONTWRITEBYTECODE: '1', TF_CPP_MIN_LOG_LEVEL: '3' },
    },
  );
  if (!result.ok) throw new Error(`${describeFailure('python', result)}\n${result.stderr.slice(-4000)}`);
  return JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '') as T;
}
