// Compiled models in a cache: each file under its own digest, and beside it which model was compiled to which file. Reading
// writes nothing. For compiled-model.ts and fetch-compiled.ts.
import { createHash, randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { publishFile } from '../../../setup/src/cache.ts';
import { makeRoom } from '../../../setup/src/made-cache.ts';
import { COMPILED_FOLDER, CompiledRecord, compiledPath } from '../../../shared/src/compiled-record.ts';
import { hasErrorCode } from '../../../shared/src/errors.ts';

/** A file's digest and size. */
const CompiledFile = CompiledRecord.pick({ sha256: true, bytes: true });
export type CompiledFile = z.output<typeof CompiledFile>;

/** What a model was compiled to; or why it cannot be compiled. */
const Compilation = z.union([CompiledFile, z.object({ cannot: z.string() })]);
export type Compilation = z.output<typeof Compilation>;

/** A damaged entry counts as none. */
export async function findCompilation(cache: string, key: string): Promise<Compilation | undefined> {
  try {
    return Compilation.safeParse(JSON.parse(await readFile(entryPath(cache, key), 'utf8'))).data;
  } catch {
    return undefined;
  }
}

export async function keepCompilation(cache: string, key: string, compilation: Compilation): Promise<void> {
  await publishFile(entryPath(cache, key), `${JSON.stringify(compilation)}\n`);
}

/** The file's bytes where it is there and whole: damaged ones count as none. */
export async function readCompiled(cache: string, file: CompiledFile): Promise<Uint8Array | undefined> {
  try {
    const bytes = await readFile(join(cache, compiledPath(file)));
    return digestOf(bytes) === file.sha256 ? bytes : undefined;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT') || hasErrorCode(error, 'EACCES') || hasErrorCode(error, 'EIO')) return undefined;
    throw error;
  }
}

/** Writes the file whole, in place of a damaged one. */
export async function keepCompiled(cache: string, bytes: Uint8Array): Promise<CompiledFile> {
  const file: CompiledFile = { sha256: digestOf(bytes), bytes: bytes.length };
  const target = join(cache, compiledPath(file));
  const draft = `${target}.draft-${process.pid}-${randomBytes(4).toString('hex')}`;
  await makeRoom(cache, COMPILED_FOLDER);
  try {
    await writeFile(draft, bytes, { flag: 'wx', flush: true });
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return file;
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function entryPath(cache: string, key: string): string {
  return join(cache, COMPILED_FOLDER, `${key}.json`);
}
