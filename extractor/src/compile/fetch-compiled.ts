// A run's compiled model on this machine: from the cache, else from the run directory, else compiled here, and in each case the very
// file that the run was planned with. For the engine.
import { join } from 'node:path';
import { isUnwritable, lastingCache, madeFolders } from '../../../setup/src/made-cache.ts';
import { COMPILED_FOLDER, type CompiledRecord } from '../../../shared/src/compiled-record.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { MODEL_GRAPH, MODEL_OPSET, readGraph } from '../models/onnx-graph.ts';
import { readFields } from '../models/protobuf.ts';
import { CannotCompile } from './cannot-compile.ts';
import { digestOf, keepCompiled, readCompiled } from './compiled-cache.ts';
import { BOUND, type CompiledOptions, compiledModel } from './compiled-model.ts';
import { pruneCompiled } from './prune-compiled.ts';

export interface CompiledSource {
  readonly record: Pick<CompiledRecord, 'sha256' | 'bytes' | 'winograd'>;
  /** The file in the run directory, in pieces; undefined where there is none. */
  open(): Promise<AsyncIterable<Uint8Array> | undefined>;
}

export interface FetchedModel {
  /** The ONNX model. */
  readonly content: Uint8Array;
  /** `run` is the run directory. */
  readonly from: 'cache' | 'run' | 'compiler';
}

/**
 * @throws Refusal `conditions-differ` where this machine compiles the model to another file, `engine-unavailable` where it cannot
 * compile it, and what `compiledModel` throws
 */
export async function fetchCompiled(
  { record, open }: CompiledSource,
  options: Omit<CompiledOptions, 'winograd'>,
): Promise<FetchedModel> {
  for (const cache of options.cache === undefined ? madeFolders(COMPILED_FOLDER) : [options.cache]) {
    const content = await readCompiled(cache, record);
    if (content !== undefined) return { content: requireAlone(content), from: 'cache' };
  }
  const content = await readWhole(open, record);
  if (content !== undefined) {
    requireAlone(content);
    await keepForLater(content, options.cache);
    return { content, from: 'run' };
  }
  return { content: await compileTheSame(record, options), from: 'compiler' };
}

async function compileTheSame(
  record: CompiledSource['record'],
  options: Omit<CompiledOptions, 'winograd'>,
): Promise<Uint8Array> {
  let compiled: Awaited<ReturnType<typeof compiledModel>>;
  try {
    compiled = await compiledModel({ ...options, winograd: record.winograd });
  } catch (cause) {
    if (!(cause instanceof CannotCompile)) throw cause;
    throw new Refusal('engine-unavailable', `Expected to compile ${options.model} but ${cause.message}`, { cause });
  }
  if (compiled.sha256 === record.sha256) return compiled.content;
  throw new Refusal(
    'conditions-differ',
    `Expected the compiled model ${record.sha256.slice(0, 12)}… that the run was planned with but this machine compiles another one (${compiled.sha256.slice(0, 12)}…)`,
    {
      hint: 'Put the file back into compiled/ in the run directory: `npx layertap resume` does that where it was planned.',
    },
  );
}

/** Undefined where the file is missing or not the one of the record. */
async function readWhole(
  open: CompiledSource['open'],
  { sha256, bytes }: CompiledSource['record'],
): Promise<Uint8Array | undefined> {
  let content: Buffer;
  let filled = 0;
  try {
    const pieces = await open();
    if (pieces === undefined) return undefined;
    content = Buffer.alloc(bytes);
    for await (const piece of pieces) {
      if (filled + piece.length > bytes) return undefined;
      content.set(piece, filled);
      filled += piece.length;
    }
  } catch {
    return undefined; // It went while it was read, or this user may not read it: compiled here, it is the same.
  }
  return filled === bytes && digestOf(content) === sha256 ? content : undefined;
}

/** The next process on this machine finds it in the cache; where that takes nothing, it reads the run directory again. */
async function keepForLater(content: Uint8Array, cache: string | undefined): Promise<void> {
  try {
    const lasting = cache ?? (await lastingCache());
    if (lasting === undefined) return;
    await keepCompiled(lasting, content);
    await pruneCompiled(join(lasting, COMPILED_FOLDER), BOUND);
  } catch (error) {
    if (!isUnwritable(error)) throw error;
  }
}

/** What our compiler writes is one graph with its weights inside: a model that reaches for other files came from somebody else. */
function requireAlone(content: Uint8Array): Uint8Array {
  for (const field of readFields(content)) {
    const graph = field.number === MODEL_GRAPH ? readGraph(field.bytes) : undefined;
    const known = graph !== undefined || field.number <= MODEL_OPSET;
    if (known && (graph === undefined || (graph.externals.length === 0 && graph.sparse.length === 0))) continue;
    throw new Refusal(
      'model-unreadable',
      'Expected a compiled model that is one file but it names other files, or holds what the compiler does not write',
      { hint: 'Remove it from compiled/ in the run directory; workers then compile the model themselves.' },
    );
  }
  return content;
}
