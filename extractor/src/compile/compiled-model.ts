// A model as an ONNX file: found in the cache, or compiled into it in a child process, so that neither the light parent nor an
// engine process ever loads the runtime that traces.
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from '../../../setup/src/lock.ts';
import { isUnwritable, madeFolders, makeRoom, temporaryCache, writableCache } from '../../../setup/src/made-cache.ts';
import { tensorFlowStatus } from '../../../setup/src/tensorflow-library.ts';
import { COMPILED_FOLDER } from '../../../shared/src/compiled-record.ts';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import type { EngineName } from '../../../shared/src/request.ts';
import { askProbe } from '../probe.ts';
import { CannotCompile } from './cannot-compile.ts';
import type { CompileOptions } from './compile-model.ts';
import {
  type Compilation,
  type CompiledFile,
  findCompilation,
  keepCompilation,
  keepCompiled,
  readCompiled,
} from './compiled-cache.ts';
import { LOWERING } from './lowering-version.ts';
import { type PruneOptions, pruneCompiled } from './prune-compiled.ts';

export interface CompiledOptions extends CompileOptions {
  /** Digest of all bytes of the model. */
  readonly sha256: string;
  /** @default true where the runtime's kernels keep such convolutions in blocks, on x64 */
  readonly winograd?: boolean;
  /** A cache of the caller's own. @default that of this user, or a temporary one */
  readonly cache?: string | undefined;
  /** Ends the compiler; the call then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface CompiledModel extends CompiledFile {
  readonly winograd: boolean;
  /** The ONNX model. */
  readonly content: Uint8Array;
  /** Whether it was compiled just now. */
  readonly isNew: boolean;
}

/** What the child is asked. */
export interface CompileQuestion extends CompileOptions {
  readonly engine: EngineName;
  readonly out: string;
}

/** What it answers: why the model cannot be compiled, or the file cannot be written, if so. */
export interface CompileAnswer {
  readonly cannot?: string;
  readonly unwritable?: { readonly code: string; readonly message: string };
}

/** Of all compiled models together. */
export const BOUND: PruneOptions = { maxBytes: 20e9, keepMs: 24 * 3_600_000 };
const TIMEOUT_MS = 30 * 60_000;

interface Question extends CompileOptions {
  readonly signal: AbortSignal | undefined;
}

/**
 * The compiled model, whole. Compiled once for a model, layers, input shape and lowering; what is damaged in the cache is compiled again.
 * @throws CannotCompile; Refusal `model-unreadable`, `unknown-layer`, `recipe-mismatch`, `cache-unwritable`
 */
export async function compiledModel(options: CompiledOptions): Promise<CompiledModel> {
  const { model, layers, inputShape, sha256, winograd = process.arch === 'x64', signal } = options;
  const question = { model, layers, inputShape, winograd, signal };
  const key = createHash('sha256')
    .update(JSON.stringify([LOWERING, sha256, layers, inputShape, winograd]))
    .digest('hex')
    .slice(0, 32);
  for (const cache of options.cache === undefined ? madeFolders(COMPILED_FOLDER) : [options.cache]) {
    const found = await findCompiled(cache, key);
    if (found !== undefined) return { ...found, winograd };
  }
  const cache = options.cache ?? (await writableCache());
  try {
    return { ...(await compileInto(cache, key, question)), winograd };
  } catch (error) {
    if (options.cache !== undefined || !isUnwritable(error)) throw error;
    return { ...(await compileIntoTemporary(error, cache, key, question)), winograd };
  }
}

/** The disk of the cache became full, or the cache went, in the meantime. */
async function compileIntoTemporary(
  reason: unknown,
  cache: string,
  key: string,
  question: Question,
): Promise<Omit<CompiledModel, 'winograd'>> {
  const other = await temporaryCache(reason);
  try {
    if (other === cache) throw reason;
    return await compileInto(other, key, question);
  } catch (cause) {
    if (!isUnwritable(cause)) throw cause;
    throw new Refusal('cache-unwritable', `Expected room for the compiled model in ${other} but could not write it`, {
      hint: 'Free some space, or set LAYERTAP_CACHE to a folder on another disk.',
      cause,
    });
  }
}

async function compileInto(cache: string, key: string, question: Question): Promise<Omit<CompiledModel, 'winograd'>> {
  const folder = await makeRoom(cache, COMPILED_FOLDER);
  return withLock(join(folder, `${key}.lock`), async () => {
    const found = await findCompiled(cache, key);
    if (found !== undefined) return found;
    // Left by one that was killed: the lock says that nobody else compiles this.
    const left = (await readdir(folder)).filter(name => name.startsWith(`${key}.draft-`));
    for (const name of left) await rm(join(folder, name), { force: true });
    const draft = join(folder, `${key}.draft-${process.pid}-${randomBytes(4).toString('hex')}`);
    try {
      const cannot = await compileTo(draft, question);
      if (cannot !== undefined) {
        await keepCompilation(cache, key, { cannot });
        throw new CannotCompile(cannot);
      }
      const content = await readFile(draft);
      const file = await keepCompiled(cache, content);
      await keepCompilation(cache, key, file);
      await pruneCompiled(folder, BOUND);
      return { ...file, content, isNew: true };
    } finally {
      await rm(draft, { force: true });
    }
  });
}

/** @throws CannotCompile where that is what is known of the model */
async function findCompiled(cache: string, key: string): Promise<Omit<CompiledModel, 'winograd'> | undefined> {
  const known: Compilation | undefined = await findCompilation(cache, key);
  if (known === undefined) return undefined;
  if ('cannot' in known) throw new CannotCompile(known.cannot);
  const content = await readCompiled(cache, known);
  return content && { ...known, content, isNew: false };
}

/** Undefined where the file is written, else why the model cannot be compiled. */
async function compileTo(out: string, { signal, ...options }: Question): Promise<string | undefined> {
  const engine: EngineName = tensorFlowStatus().available ? 'tensorflow' : 'wasm';
  const question: CompileQuestion = { ...options, engine, out };
  const script = compiledUrl('./compile-process.ts', import.meta.url);
  const probe = { script, question, runtime: 'the compiler', timeoutMs: TIMEOUT_MS, signal };
  const { cannot, unwritable } = await askProbe<CompileAnswer>(probe);
  if (unwritable !== undefined) throw Object.assign(new Error(unwritable.message), { code: unwritable.code });
  return cannot;
}
