// Unpacks programs of Debian's packages into the cache, for machines that lack them; nothing is installed and the system stays as it is.

import { existsSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolders } from '../../shared/src/make-folders.ts';
import { publishFile, publishFolder } from './cache.ts';
import { type CommandResult, describeFailure, findProgram, runCommand } from './command.ts';

export interface UnpackOptions {
  /** @default the set-up's configured cache */
  readonly cacheRoot?: string;
  /** Gets one line per step that took time. @default silent */
  readonly log?: (line: string) => void;
}

/** One program of Debian and how it comes out of its packages. */
export interface DebianProgram {
  /** What it is, in messages: "Debian's Redis". */
  readonly title: string;
  /** What else a user can do where it can't be unpacked. */
  readonly otherwise: string;
  /** Packages as apt knows them; those that they depend on come along. */
  readonly install: readonly string[];
  /** Packages among these and their dependencies that are unpacked even where the system has them. */
  readonly own: RegExp;
  /** Name of the marker file in the folder. */
  readonly marker: string;
  /** Finishes the unpacked tree, runs the program, and returns its version; throws where it doesn't run. */
  readonly finish: (root: string, ensure: Ensure) => Promise<string>;
}

/** Throws, with the words of the program's own message, where a command failed. */
export type Ensure = (command: string, result: CommandResult) => CommandResult;

/** Unpacks into `folder` what isn't there yet. Neither root's rights nor a fresh `apt-get update` of the system are needed. */
export async function unpackDebianProgram(
  folder: string,
  program: DebianProgram,
  log: UnpackOptions['log'],
): Promise<void> {
  for (const tool of ['apt-get', 'dpkg']) {
    if (!findProgram(tool)) {
      throw new Error(`Expected Debian's ${tool} for ${program.title} but found none; ${program.otherwise}`);
    }
  }
  const started = performance.now();
  const made = await publishFolder(folder, draft => fill(draft, program), {
    marker: program.marker,
    onWait: holder => log?.(`waiting for ${holder}, which unpacks ${program.title}`),
  });
  if (made) log?.(`unpacked ${program.title} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

/** usr/lib/<machine>-linux-gnu and its like, where Debian keeps libraries, as `LD_LIBRARY_PATH` takes them. */
export async function libraryPathOf(root: string): Promise<string> {
  const folders: string[] = [];
  for (const base of [join(root, 'usr', 'lib'), join(root, 'lib')]) {
    if (!existsSync(base)) continue;
    for (const name of await readdir(base)) if (name.includes('-linux-')) folders.push(join(base, name));
    folders.push(base);
  }
  return folders.join(':');
}

/** Writes bin/NAME, which finds the tree's libraries beside itself, wherever that lies. @param command in sh, with `$root` */
export async function writeLauncher(root: string, name: string, command: string): Promise<string> {
  const program = join(root, 'bin', name);
  const libraries = (await libraryPathOf(root)).replaceAll(root, '$root');
  const script = `#!/bin/sh
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
export LD_LIBRARY_PATH="${libraries}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec ${command} "$@"
`;
  await makeFolders(join(root, 'bin'));
  await writeFile(program, script, { mode: 0o755 });
  return program;
}

async function fill(draft: string, program: DebianProgram): Promise<void> {
  const ensure: Ensure = (command, result) => {
    if (result.ok) return result;
    throw new Error(
      `Expected ${program.title} from its packages but could not have it: ${describeFailure(command, result)}; ${program.otherwise}`,
    );
  };
  const state = join(draft, 'apt');
  const archives = join(draft, 'archives');
  for (const path of [join(state, 'lists', 'partial'), join(state, 'cache', 'archives', 'partial'), archives]) {
    await makeFolders(path);
  }
  // Package lists of our own: the system's may be missing or old, and nothing of it changes.
  const apt = (...args: readonly string[]): Promise<CommandResult> =>
    runCommand(
      'apt-get',
      [
        ...['-o', `Dir::State::lists=${join(state, 'lists')}`, '-o', `Dir::Cache=${join(state, 'cache')}`],
        ...['-o', 'APT::Sandbox::User=root', '-o', 'Debug::NoLocking=1', '-o', 'Acquire::Languages=none'],
        ...['-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=10', '-o', 'Acquire::https::Timeout=10', ...args],
      ],
      { cwd: archives, timeoutMs: 600_000, env: { LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' } },
    );
  // A simulation names what a system lacks: this one, and one that has nothing.
  const lackedBy = async (...system: readonly string[]): Promise<readonly string[]> => {
    const install = ['--simulate', '--no-install-recommends', 'install', ...program.install];
    const plan = ensure('apt-get --simulate', await apt(...system, ...install));
    return [...plan.stdout.matchAll(/^Inst (\S+)/gm)].map(match => match[1] ?? '');
  };
  ensure('apt-get update', await apt('update', '-qq'));
  const all = await lackedBy('-o', 'Dir::State::status=/dev/null');
  const names = [...new Set([...(await lackedBy()), ...all.filter(name => program.own.test(name))])];
  ensure('apt-get download', await apt('download', ...names));
  for (const archive of await readdir(archives)) {
    ensure('dpkg -x', await runCommand('dpkg', ['-x', join(archives, archive), draft], { timeoutMs: 300_000 }));
  }
  const version = await program.finish(draft, ensure);
  for (const path of [state, archives]) await rm(path, { recursive: true, force: true });
  await publishFile(join(draft, program.marker), JSON.stringify({ version, packages: names }));
}
