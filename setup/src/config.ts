// The set-up's only reader of the environment: where things are kept, which TensorFlow to take, which Redis to use. What native
// libraries and children must find in it is written here too.

import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';

/** Where TensorFlow's native library may come from. `auto` tries the wheel, then tfjs-node's prebuilt archive. */
export type TensorFlowMode = 'auto' | 'wheel' | 'prebuilt' | 'off';

const TENSORFLOW_MODES: readonly TensorFlowMode[] = ['auto', 'wheel', 'prebuilt', 'off'];

export interface SetupConfig {
  /**
   * What runs make for later ones lies below this folder: compiled models, decisions, downloaded models. made-cache.ts says which
   * folder below it is written, and what where none can be. `LAYERTAP_CACHE` @default XDG_CACHE_HOME/layertap, else ~/.cache/layertap
   */
  readonly cacheRoot: string;
  /** A cache that is read only, behind a temporary one of the process that started this one. `LAYERTAP_CACHE_BEHIND` @default none */
  readonly cacheBehind: string | undefined;
  /** What the set-up fetches or builds lies below this folder, which may be read-only afterwards. `LAYERTAP_INSTALLED` @default cacheRoot */
  readonly installedRoot: string;
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
  /** Where an ONNX Runtime whose telemetry is on keeps its files. */
  readonly onnxTelemetryFolder: string;
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
  const cacheRoot = resolve(cache ?? (xdg ? join(xdg, 'layertap') : join(homeFolder(), '.cache', 'layertap')));
  const installedRoot = resolve(read('LAYERTAP_INSTALLED') ?? cacheRoot);
  return {
    cacheRoot,
    cacheBehind: read('LAYERTAP_CACHE_BEHIND'),
    installedRoot,
    tensorFlow: tensorFlowMode(read('LAYERTAP_TENSORFLOW')),
    tensorFlowBaseUrl: read('LAYERTAP_TENSORFLOW_BASE_URL'),
    compilers: compiler ? [compiler] : ['g++', 'c++', 'clang++', unpackedCompiler(installedRoot)],
    pythons: python ? [python] : ['python3', 'python', unpackedPython(installedRoot)],
    extraCertificates: read('NODE_EXTRA_CA_CERTS'),
    pipCertificates: read('PIP_CERT'),
    redisUrl: read('REDIS_URL'),
    onnxTelemetryFolder: join(
      process.platform === 'darwin'
        ? join(homeFolder(), 'Library', 'Application Support')
        : (xdg ?? join(homeFolder(), '.cache')),
      ...['Microsoft', 'DeveloperTools', '.onnxruntime'],
    ),
    path: (environment.PATH ?? '').split(delimiter).filter(folder => folder !== ''),
  };
}

/** Where compiler-debian.ts unpacks a compiler. */
export function unpackedCompiler(installedRoot: string): string {
  return join(installedRoot, 'compiler', `debian-${process.arch}`, 'bin', 'g++');
}

/** Where python-debian.ts unpacks an interpreter. */
export function unpackedPython(installedRoot: string): string {
  return join(installedRoot, 'interpreter', `debian-${process.arch}`, 'bin', 'python3');
}

/**
 * ONNX Runtime, in Node and in Python alike, reports each session to its makers and keeps files in the user's home unless it
 * finds this in the environment when it is loaded. The images of the services set it too.
 */
const WITHOUT_TELEMETRY: Readonly<Record<string, string>> = { ORT_DISABLE_TELEMETRY: '1' };

/**
 * Switches ONNX Runtime's telemetry off for a library that this process loads from now on, whatever the user has set.
 * @returns whether the library will see it: a worker thread has a copy of the environment, which native code does not read
 */
export function disableTelemetry(): boolean {
  Object.assign(process.env, WITHOUT_TELEMETRY);
  if (isMainThread) return true;
  const environment = nativeEnvironment();
  return Object.entries(WITHOUT_TELEMETRY).every(([name, value]) => environment[name] === value);
}

/** What native code reads, from any thread. Empty where the user forbids Node to report it. */
function nativeEnvironment(): Environment {
  // Node 20.13 and newer; not yet in its types.
  const report: typeof process.report & { excludeNetwork?: boolean } = process.report;
  const { excludeNetwork = false } = report;
  // It would look up the names of all peers of open connections.
  report.excludeNetwork = true;
  try {
    return (report.getReport() as { readonly environmentVariables?: Environment }).environmentVariables ?? {};
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}

/**
 * The environment of a child process: this process' own, with `changes` on top, and without telemetry; a change to undefined
 * removes.
 */
export function childEnvironment(changes: Environment = {}): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...process.env, ...changes, ...WITHOUT_TELEMETRY })) {
    if (value !== undefined) merged[name] = value;
  }
  return merged;
}

/** A user without an entry in the system's list, as containers have them, has no home where `HOME` names none. */
function homeFolder(): string {
  try {
    return homedir() || '/nonexistent';
  } catch {
    return '/nonexistent';
  }
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
