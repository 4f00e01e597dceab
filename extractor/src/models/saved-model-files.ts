// The files of a SavedModel: saved_model.pb, variables and assets. Checked for presence before anything is loaded.
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { hasErrorCode, Refusal } from '../../../shared/src/errors.ts';
import { digestFiles } from './digest.ts';

const FILE = 'saved_model.pb';

export interface SavedModelFiles {
  /** Absolute path of saved_model.pb. */
  readonly path: string;
  readonly folder: string;
  readonly bytes: Uint8Array;
  /** Relative paths of what else belongs to it, sorted. */
  readonly others: readonly string[];
}

/** Whether a path leads to a SavedModel: its folder, or saved_model.pb itself. */
export async function isSavedModel(path: string): Promise<boolean> {
  const file = await pathOfFile(path);
  return basename(file) === FILE && (await stat(file).catch(() => undefined))?.isFile() === true;
}

/**
 * Reads saved_model.pb and looks whether the variables are there; reads none of them.
 * @throws Refusal `model-unreadable`
 */
export async function readSavedModelFiles(path: string): Promise<SavedModelFiles> {
  const file = await pathOfFile(path);
  const folder = dirname(file);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    const found = hasErrorCode(cause, 'ENOENT') ? 'no such file' : 'one that cannot be read';
    throw new Refusal('model-unreadable', `Expected a SavedModel at ${file} but received ${found}`, {
      hint: `Give the folder that holds ${FILE}.`,
      cause,
    });
  }
  const others = [...(await filesIn(folder, 'variables')), ...(await filesIn(folder, 'assets'))].sort();
  requireShards(folder, others);
  return { path: file, folder, bytes, others };
}

/** @throws Refusal `model-unreadable` where a graph with variables has no file that holds them */
export async function requireVariables({ path, folder, others }: SavedModelFiles): Promise<void> {
  const index = 'variables/variables.index';
  if (others.includes(index)) return;
  throw new Refusal('model-unreadable', `Expected the variables of ${path} but ${join(folder, index)} is missing`, {
    hint: 'A SavedModel is a folder: copy all of it, the folder `variables` included.',
  });
}

/** SHA-256 over saved_model.pb, then the others in the order of their names. Hex. */
export function digestSavedModel({ path, folder, others }: SavedModelFiles): Promise<string> {
  return digestFiles([path, ...others.map(other => join(folder, other))]);
}

/** A shard's name says how many there are; the index, a sorted table, ends with a number that every one has. */
function requireShards(folder: string, files: readonly string[]): void {
  for (const file of files) {
    const [, stem = '', count = ''] = /^(variables\/.*\.data-)\d{5}-of-(\d{5})$/.exec(file) ?? [];
    for (let shard = 0; shard < Number(count); shard++) {
      const name = `${stem}${String(shard).padStart(5, '0')}-of-${count}`;
      if (files.includes(name)) continue;
      throw new Refusal(
        'model-unreadable',
        `Expected ${Number(count)} files of variables but ${join(folder, name)} is missing`,
        {
          hint: 'A SavedModel is a folder: copy all of it, the folder `variables` included.',
        },
      );
    }
  }
}

async function pathOfFile(path: string): Promise<string> {
  const absolute = resolve(path);
  const found = await stat(absolute).catch(() => undefined);
  return found?.isDirectory() === true ? join(absolute, FILE) : absolute;
}

async function filesIn(folder: string, name: string): Promise<string[]> {
  const entries = await readdir(join(folder, name), { withFileTypes: true, recursive: true }).catch(() => []);
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** The last eight bytes of a table that TensorFlow wrote. */
const TABLE_END = Buffer.from([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);

/** @throws Refusal `model-unreadable` for an index that ends too early */
export async function requireWholeIndex({ folder }: SavedModelFiles): Promise<void> {
  const path = join(folder, 'variables/variables.index');
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const { buffer } = await handle.read(Buffer.alloc(8), 0, 8, Math.max(size - 8, 0));
    if (buffer.equals(TABLE_END)) return;
    throw new Refusal(
      'model-unreadable',
      `Expected an index of variables in ${path} but its ${size} bytes are cut off`,
      {
        hint: 'The file may be truncated: copy or export the model again.',
      },
    );
  } finally {
    await handle.close();
  }
}
