// Builds tfjs-node's N-API binding with a plain C++ compiler, links it into the installed package and checks that it computes.

import { readFileSync } from 'node:fs';
import { rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { makeFolders } from '../../shared/src/make-folders.ts';
import { draftName } from './cache.ts';
import { describeFailure, findProgram, runCommand } from './command.ts';
import { setupConfig } from './config.ts';

/**
 * Where tfjs-node looks for its binding. It takes the highest N-API version that both it (up to 8) and Node know:
 * 8 on every Node from 15.12 on. The cache uses the same layout, so that `$ORIGIN/../../deps/lib` finds the libraries.
 */
export const BINDING_PATH = join('lib', 'napi-v8', 'tfjs_binding.node');
const NAPI_VERSION = 8;

export interface TfjsNode {
  readonly folder: string;
  readonly version: string;
}

/** The installed @tensorflow/tfjs-node; undefined where the optional dependency is absent. */
export function findTfjsNode(folder?: string): TfjsNode | undefined {
  try {
    const manifest = folder
      ? join(folder, 'package.json')
      : createRequire(import.meta.url).resolve('@tensorflow/tfjs-node/package.json');
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    return { folder: dirname(manifest), version };
  } catch {
    return undefined;
  }
}

export async function findCompiler(): Promise<string | undefined> {
  for (const compiler of setupConfig().compilers) {
    if (!findProgram(compiler)) continue;
    if ((await runCommand(compiler, ['--version'], { timeoutMs: 20_000 })).ok) return compiler;
  }
  return undefined;
}

export interface CompileOptions {
  readonly compiler: string;
  readonly include: string;
  readonly lib: string;
  readonly draft: string;
  readonly tfjsNode: TfjsNode;
}

/** Sources, include folders and definitions as in the package's binding.gyp; Node's headers come from node-api-headers. */
export async function compileBinding(options: CompileOptions): Promise<void> {
  const { folder } = options.tfjsNode;
  const output = join(options.draft, BINDING_PATH);
  await makeFolders(dirname(output));
  const headers = join(dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json')), 'include');
  const result = await runCommand(
    options.compiler,
    [
      ...['-std=c++17', '-O2', '-fPIC', '-shared', '-w', `-DNAPI_VERSION=${NAPI_VERSION}`],
      ...['-DNODE_GYP_MODULE_NAME=tfjs_binding', '-DBUILDING_NODE_EXTENSION'],
      ...[`-I${folder}`, `-I${options.include}`, `-I${headers}`],
      ...['tfjs_backend.cc', 'tfjs_binding.cc'].map(source => join(folder, 'binding', source)),
      ...['-o', output, `-L${options.lib}`, '-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2'],
      '-Wl,-rpath,$ORIGIN/../../deps/lib',
    ],
    { timeoutMs: 900_000 },
  );
  if (!result.ok) throw new Error(describeFailure(options.compiler, result));
}

/**
 * A link, not a copy: Node resolves it before it loads the binding, so `$ORIGIN` is in the cache, and one rename
 * switches library and binding together. An emptied cache leaves a dangling link, which the status sees.
 */
export async function placeBinding(binding: string, tfjsNode: TfjsNode): Promise<void> {
  const target = join(tfjsNode.folder, BINDING_PATH);
  const draft = draftName(target);
  try {
    await makeFolders(dirname(target));
    await symlink(binding, draft);
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    throw new Error(`Expected to link ${target} but could not; make that folder writable, or install anew`, {
      cause: error,
    });
  }
}

const CHECK = `
const util = require('node:util');
util.isNullOrUndefined ??= value => value == null;
util.isArray ??= Array.isArray;
const tf = require(process.argv[1]);
const sum = tf.add(tf.tensor1d([1, 2]), tf.tensor1d([3, 4])).dataSync();
if (tf.getBackend() !== 'tensorflow' || sum[0] !== 4 || sum[1] !== 6) throw new Error('1 + 3 gave ' + sum[0]);
`;

/** Runs in a child process: a library that doesn't fit this CPU or C library ends the process that loads it. */
export async function verifyBinding(tfjsNode: TfjsNode): Promise<void> {
  const result = await runCommand(process.execPath, ['-e', CHECK, tfjsNode.folder], {
    timeoutMs: 120_000,
    env: { TF_CPP_MIN_LOG_LEVEL: '3', NODE_OPTIONS: undefined },
  });
  if (!result.ok) throw new Error(`the library was built but does not run here: ${describeFailure('node', result)}`);
}
