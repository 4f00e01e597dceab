// A program of the tests in one file: what is started a dozen times need not compile a few hundred files each time.
import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** From there Node finds the packages, which stay out of the bundle. */
const FOLDER = new URL('../../node_modules/.cache/layertap-tests/', import.meta.url);

/** @param name in test/support: 'killed-at-step.ts' */
export async function builtProgram(name: string): Promise<URL> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(name, import.meta.url))],
    bundle: true,
    write: false,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20.20',
  });
  const bytes = outputFiles[0]?.contents ?? new Uint8Array();
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const program = new URL(`${basename(name, '.ts')}-${digest}.mjs`, FOLDER);
  await mkdir(FOLDER, { recursive: true });
  // Test files run side by side.
  const staged = new URL(`${program.href}.${process.pid}`);
  await writeFile(staged, bytes);
  await rename(staged, program);
  return program;
}
