// Compiled models in the cache: made once per model, layers, input shape and lowering, in a child process, so that neither
// the light parent nor an engine process ever loads the runtime that traces.
import { createHash } from 'node:crypto';
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { publishFolder } from '../../../setup/src/cache.ts';
import { setupConfig } from '../../../setup/src/config.ts';
import { tensorFlowStatus } from '../../../setup/src/tensorflow-library.ts';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';
import type { EngineName } from '../../../shared/src/request.ts';
import { askProbe } from '../probe.ts';
import { CannotCompile } from './cannot-compile.ts';
import type { CompileOptions } from './compile-model.ts';
import { LOWERING } from './lowering-version.ts';
import { pruneCompiled } from './prune-compiled.ts';

export interface CompiledOptions extends CompileOptions {
  /** Digest of all bytes of the model. */
  readonly sha256: string;
  /** @default true where the runtime's kernels keep such convolutions in blocks, on x64 */
  readonly winograd?: boolean;
  /** @default `compiled` in the cache of the set-up */
  readonly folder?: string | undefined;
}

/** What the child is asked. */
export interface CompileQuestion extends CompileOptions {
  readonly engine: EngineName;
  readonly out: string;
}

/** What it answers: why the model cannot be compiled, if it cannot. */
export interface CompileAnswer {
  readonly cannot?: string;
}

const FILE = 'model.onnx';
/** Written last. */
const MARKER = 'compiled.json';
/** Of all compiled models together. */
const MOST_BYTES = 20e9;
const KEEP_MS = 24 * 3_600_000;
const TIMEOUT_MS = 30 * 60_000;

/**
 * The place of the compiled model.
 * @throws CannotCompile; Refusal `model-unreadable`, `unknown-layer`, `recipe-mismatch`
 */
export async function compiledModel(options: CompiledOptions): Promise<string> {
  const { model, layers, inputShape, sha256, winograd = process.arch === 'x64' } = options;
  const key = createHash('sha256')
    .update(JSON.stringify([LOWERING, sha256, layers, inputShape, winograd]))
    .digest('hex');
  const root = options.folder ?? join(setupConfig().cacheRoot, 'compiled');
  const folder = join(root, key.slice(0, 32));
  const fill = async (draft: string): Promise<void> => {
    const engine: EngineName = tensorFlowStatus().available ? 'tensorflow' : 'wasm';
    const question: CompileQuestion = { model, layers, inputShape, winograd, engine, out: join(draft, FILE) };
    const script = compiledUrl('./compile-process.ts', import.meta.url);
    const record = await askProbe<CompileAnswer>({ script, question, runtime: 'the compiler', timeoutMs: TIMEOUT_MS });
    await writeFile(
      join(draft, MARKER),
      `${JSON.stringify({ lowering: LOWERING, sha256, layers, inputShape, winograd, ...record })}\n`,
    );
  };
  const made = await publishFolder(folder, fill, { marker: MARKER });
  if (made) await pruneCompiled(root, MARKER, { maxBytes: MOST_BYTES, keepMs: KEEP_MS });
  const now = new Date();
  await utimes(join(folder, MARKER), now, now);
  const { cannot } = JSON.parse(await readFile(join(folder, MARKER), 'utf8')) as CompileAnswer;
  if (cannot !== undefined) throw new CannotCompile(cannot);
  return join(folder, FILE);
}
