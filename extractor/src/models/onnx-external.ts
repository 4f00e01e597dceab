// Weights of an ONNX model that lie in files beside it: where they are, and whether they are whole.
// A model names them by paths of its own choice, so one that leads out of its folder is refused. For the reader.
import { realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, relative, sep } from 'node:path';
import { hasErrorCode, Refusal } from '../../../shared/src/errors.ts';
import type { OnnxGraph } from './onnx-graph.ts';

/**
 * Checks that every file is there, inside the model's folder and long enough.
 * @returns paths in a fixed order, none twice
 * @throws Refusal `model-unreadable`, naming the file and the bytes expected
 */
export async function requireExternalFiles(model: string, graph: OnnxGraph): Promise<readonly string[]> {
  const folder = dirname(model);
  const sizes = new Map<string, { readonly weight: string; readonly bytes: number }>();
  for (const { name, external } of graph.externals) {
    if (external === undefined) continue;
    const path = pathInside(folder, external.location, name);
    const bytes = external.offset + (external.length ?? 0);
    if (bytes >= (sizes.get(path)?.bytes ?? 0)) sizes.set(path, { weight: name, bytes });
  }
  const paths = [...sizes.keys()].sort();
  for (const path of paths) {
    const { weight = '', bytes = 0 } = sizes.get(path) ?? {};
    await requireFile(model, path, weight, bytes);
  }
  return paths;
}

function pathInside(folder: string, location: string, weight: string): string {
  const path = normalize(location.replaceAll('\\', '/'));
  const isOutside =
    location === '' ||
    location.includes('\0') ||
    isAbsolute(path) ||
    /^[a-z]:/i.test(path) ||
    /^\.\.?(\/|$)/.test(path);
  if (isOutside) throw outside(weight, location, folder);
  return join(folder, path);
}

async function requireFile(model: string, path: string, weight: string, bytes: number): Promise<void> {
  const real = await realpath(path).catch(cause => {
    if (!hasErrorCode(cause, 'ENOENT')) throw incomplete(path, weight, bytes, 'one that cannot be read', cause);
    throw incomplete(path, weight, bytes, 'no such file', cause);
  });
  const inside = relative(await realpath(dirname(model)), real);
  if (inside.split(sep)[0] === '..' || isAbsolute(inside)) throw outside(weight, `${path} → ${real}`, dirname(model));
  const status = await stat(real);
  if (!status.isFile()) throw incomplete(path, weight, bytes, 'something else', undefined);
  if (status.size < bytes) throw incomplete(path, weight, bytes, `${status.size} bytes`, undefined);
}

function incomplete(path: string, weight: string, bytes: number, received: string, cause: unknown): Refusal {
  return new Refusal(
    'model-unreadable',
    `Expected at least ${bytes} bytes with the weight '${weight}' in ${path} but received ${received}`,
    { hint: 'Copy all files of the model into one folder, under the names that they were saved with.', cause },
  );
}

function outside(weight: string, location: string, folder: string): Refusal {
  return new Refusal(
    'model-unreadable',
    `Expected the weight '${weight}' in a file inside ${folder} but received '${location}'`,
    { hint: 'Put the file into the folder of the model, not a link to it, and save the model with its relative path.' },
  );
}
