// Real files in temporary directories that are gone after the test file: for the tests of sources.
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

const made: string[] = [];
afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true, force: true });
});

export async function makeTemporary(): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'layertap-sources-')));
  made.push(directory);
  return directory;
}

/** Writes one small file at each path; sources never open images, so any content does. */
export async function writeFiles(directory: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) await writeText(join(directory, path), path);
}

export async function writeText(path: string, content: string | Uint8Array): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}
