// The set-up's only reader of the environment: where the cache is, which TensorFlow to take, which Redis to use.

import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Where TensorFlow's native library may come from. `auto` tries the wheel, then tfjs-node's prebuilt archive. */
export type TensorFlowMode = 'auto' | 'wheel' | 'prebuilt' | 'off';

const TENSORFLOW_MODES: readonly TensorFlowMode[] = ['auto', 'wheel', 'prebuilt', 'off'];

export interface SetupConfig {
  /** Everything the set-up fetches or builds lies below this folder. `LAYERTAP_CACHE` @default XDG_CACHE_HOME/layertap, else ~/.cache/layertap */
  readonly cacheRoot: string;
  /** `LAYERTAP_TENSORFLOW` @default 'auto' */
  readonly tensorFlow: TensorFlowMode;
  /** Base address of tfjs-node's prebuilt archives, in place of its own. `LAYERTAP_TENSORFLOW_BASE_URL` @default undefined */
  readonly tensorFlowBaseUrl: string | undefined;
  /** C++ compilers in the order in which they are tried. `CXX` @default g++, c++, clang++, the one that the tests' set-up unpacked */
  readonly compilers: readonly string[];
  /** Python interpreters in the order in which they are tried. `LAYERTAP_PYTHON` @default python3, python, the one that the tests' set-up unpacked */
  readonly pythons: readonly string[];
  /** File of certificates that are trusted beside Node's own. `NODE_EXTRA_CA_CERTS` @default undefined */
  readonly extraCertificates: string | undefined;
  /** File of the certificates that pip trusts. `PIP_CERT` @default pip's own choice */
  readonly pipCertificates: string | undefined;
  /** A Redis that already runs. `REDIS_URL` @default undefined */
  readonly redisUrl: string | undefined;
  /** Folders that are searched for programs. `PATH` */
  readonly path: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

export function setupConfig(environment: Environment = process.env): SetupConfig {
  const read = (name: string): string | undefined => environment[name]?.trim() || undefined;
  const cache = read('LAYERTAP_CACHE');
  const xdg = read('XDG_CACHE_HOME');
  const compiler = read('CXX');
  const python = read('LAYERTAP_PYTHON');
  const cacheRoot = cache ?? (xdg ? join(xdg, 'layertap') : join(homedir(), '.cache', 'layertap'));
  return {
    cacheRoot,
    tensorFlow: tensorFlowMode(read('LAYERTAP_TENSORFLOW')),
    tensorFlowBaseUrl: read('LAYERTAP_TENSORFLOW_BASE_URL'),
    compilers: compiler ? [compiler] : ['g++', 'c++', 'clang++', unpackedCompiler(cacheRoot)],
    pythons: python ? [python] : ['python3', 'python', unpackedPython(cacheRoot)],
    extraCertificates: read('NODE_EXTRA_CA_CERTS'),
    pipCertificates: read('PIP_CERT'),
    redisUrl: read('REDIS_URL'),
    path: (environment.PATH ?? '').split(delimiter).filter(folder => folder !== ''),
  };
}

/** Where compiler-debian.ts unpacks a compiler. */
export function unpackedCompiler(cacheRoot: string): string {
  return join(cacheRoot, 'compiler', `debian-${process.arch}`, 'bin', 'g++');
}

/** Where python-debian.ts unpacks an interpreter. */
export function unpackedPython(cacheRoot: string): string {
  return join(cacheRoot, 'interpreter', `debian-${process.arch}`, 'bin', 'python3');
}

/** The environment of a child process: this process' own, with `changes` on top; a change to undefined removes. */
export function childEnvironment(changes: Environment = {}): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...process.env, ...changes })) {
    if (value !== undefined) merged[name] = value;
  }
  return merged;
}

function tensorFlowMode(value: string | undefined): TensorFlowMode {
  if (value === undefined) return 'auto';
  const mode = TENSORFLOW_MODES.find(name => name === value);
  if (mode) return mode;
  throw new TypeError(
    `Expected one of ${TENSORFLOW_MODES.join(', ')} for \`LAYERTAP_TENSORFLOW\` but received ${value}; unset it to let the set-up choose`,
  );
}

/** Sets variables of this process that others read, where they aren't set: testcontainers has no other way. */
export function presetEnvironment(values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) process.env[name] ??= value;
}
