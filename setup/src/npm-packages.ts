// Installs npm packages into a folder of their own, outside the project's: for Node releases and the benchmark's peers.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolders } from '../../shared/src/make-folders.ts';
import { type CommandResult, runCommand } from './command.ts';

const FLAGS = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];

/** Makes the folder. No script of a package runs. @param packages NAME@VERSION */
export async function installNpmPackages(folder: string, packages: readonly string[]): Promise<CommandResult> {
  await makeFolders(folder);
  await writeFile(join(folder, 'package.json'), '{ "private": true }\n');
  return runCommand('npm', ['install', ...FLAGS, ...packages], { cwd: folder });
}
