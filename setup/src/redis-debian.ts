// Unpacks Debian's Redis into the cache, for machines without a Redis; nothing is installed and the system stays as it is.

import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { publishFile, publishFolder } from './cache.ts';
import { type CommandResult, describeFailure, findProgram, runCommand } from './command.ts';
import { setupConfig } from './config.ts';
import type { RedisProgram } from './redis-server.ts';

export interface DebianRedisOptions {
  /** @default the set-up's configured cache */
  readonly cacheRoot?: string;
  /** Gets one line per step that took time. @default silent */
  readonly log?: (line: string) => void;
}

const MARKER = 'redis.json';

export async function unpackDebianRedis(options: DebianRedisOptions = {}): Promise<RedisProgram> {
  for (const tool of ['apt-get', 'dpkg']) {
    if (!findProgram(tool))
      throw new Error(`Expected Debian's ${tool} for a Redis but found none; install a redis-server`);
  }
  const folder = join(options.cacheRoot ?? setupConfig().installedRoot, 'redis', `debian-${process.arch}`);
  const started = performance.now();
  const made = await publishFolder(folder, draft => fill(draft), {
    marker: MARKER,
    onWait: holder => options.log?.(`waiting for ${holder}, which unpacks Redis`),
  });
  if (made) options.log?.(`unpacked Debian's Redis (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  const libraries = await libraryFolders(folder);
  return { program: join(folder, 'usr', 'bin', 'redis-server'), libraryPath: libraries.join(':') };
}

async function fill(draft: string): Promise<void> {
  const state = join(draft, 'apt');
  const archives = join(draft, 'archives');
  for (const path of [join(state, 'lists', 'partial'), join(state, 'cache', 'archives', 'partial'), archives]) {
    await mkdir(path, { recursive: true });
  }
  // Package lists of our own: neither root nor a fresh `apt-get update` of the system is needed, and nothing of it changes.
  const apt = (...args: readonly string[]): Promise<CommandResult> =>
    runCommand(
      'apt-get',
      [
        ...['-o', `Dir::State::lists=${join(state, 'lists')}`, '-o', `Dir::Cache=${join(state, 'cache')}`],
        ...['-o', 'APT::Sandbox::User=root', '-o', 'Debug::NoLocking=1', '-o', 'Acquire::Languages=none'],
        ...['-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=10', '-o', 'Acquire::https::Timeout=10', ...args],
      ],
      { cwd: archives, timeoutMs: 180_000, env: { LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' } },
    );
  ensure('apt-get update', await apt('update', '-qq'));
  // A simulation names exactly what this system lacks.
  const plan = ensure(
    'apt-get --simulate',
    await apt('--simulate', '--no-install-recommends', 'install', 'redis-server'),
  );
  const missing = [...plan.stdout.matchAll(/^Inst (\S+)/gm)].map(match => match[1] ?? '');
  const names = [...new Set([...missing, 'redis-server', 'redis-tools'])];
  ensure('apt-get download', await apt('download', ...names));
  for (const archive of await readdir(archives)) {
    ensure('dpkg -x', await runCommand('dpkg', ['-x', join(archives, archive), draft], { timeoutMs: 60_000 }));
  }
  const server = await runCommand(join(draft, 'usr', 'bin', 'redis-server'), ['--version'], {
    env: { LD_LIBRARY_PATH: (await libraryFolders(draft)).join(':') },
    timeoutMs: 20_000,
  });
  ensure('redis-server --version', server);
  for (const path of [state, archives]) await rm(path, { recursive: true, force: true });
  await publishFile(join(draft, MARKER), JSON.stringify({ version: server.stdout.trim(), packages: names }));
}

function ensure(command: string, result: CommandResult): CommandResult {
  if (result.ok) return result;
  throw new Error(
    `Expected Debian's Redis from its packages but could not have it: ${describeFailure(command, result)}; install a redis-server, or set \`REDIS_URL\``,
  );
}

/** usr/lib/<machine>-linux-gnu and its like, where Debian keeps libraries. */
async function libraryFolders(root: string): Promise<readonly string[]> {
  const folders: string[] = [];
  for (const base of [join(root, 'usr', 'lib'), join(root, 'lib')]) {
    if (!existsSync(base)) continue;
    for (const name of await readdir(base)) if (name.includes('-linux-')) folders.push(join(base, name));
    folders.push(base);
  }
  return folders;
}
