// Runs the tests on the other Node releases that the project supports, for `npm run test:nodes`.

import { spawn } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { publishFile, publishFolder } from './cache.ts';
import { describeFailure, runCommand } from './command.ts';
import { childEnvironment, setupConfig } from './config.ts';
import { installNpmPackages } from './npm-packages.ts';

export const NODE_MAJORS: readonly number[] = [22, 24];

export interface NodeReleaseOptions {
  /** @default the set-up's configured cache */
  readonly cacheRoot?: string;
  /** Gets one line per step that took time. @default silent */
  readonly log?: (line: string) => void;
}

/** The program of the newest release of a major version, as the npm registry carries it; no script runs at install. */
export async function prepareNode(major: number, options: NodeReleaseOptions = {}): Promise<string> {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const folder = join(options.cacheRoot ?? setupConfig().installedRoot, 'nodes', `${name}-${major}`);
  const program = join('node_modules', name, 'bin', 'node');
  const started = performance.now();
  const made = await publishFolder(
    folder,
    async draft => {
      const result = await installNpmPackages(draft, [`${name}@${major}`]);
      if (!result.ok)
        throw new Error(`Expected ${name}@${major} from npm but ${describeFailure('npm install', result)}`);
      const version = await runCommand(join(draft, program), ['--version'], { timeoutMs: 20_000 });
      if (!version.ok) throw new Error(`Expected ${name}@${major} to run but ${describeFailure('node', version)}`);
      await publishFile(join(draft, 'node.json'), JSON.stringify({ version: version.stdout.trim() }));
    },
    { marker: 'node.json' },
  );
  if (made) options.log?.(`fetched Node ${major} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  return join(folder, program);
}

/** Returns the exit status of the first release whose tests failed, else 0. */
export async function testOnOtherNodes(args: readonly string[]): Promise<number> {
  const log = (line: string): void => void process.stderr.write(`[layertap] ${line}\n`);
  for (const major of NODE_MAJORS) {
    const node = await prepareNode(major, { log });
    log(`the tests on Node ${major}`);
    const status = await runTests(node, args);
    log(`the tests on Node ${major} ended with status ${status}`);
    if (status !== 0) return status;
  }
  return 0;
}

function runTests(node: string, args: readonly string[]): Promise<number> {
  const path = [dirname(node), ...setupConfig().path].join(delimiter);
  return new Promise((resolve, reject) => {
    const child = spawn(node, [join('setup', 'bootstrap.mjs'), 'test', ...args], {
      stdio: 'inherit',
      env: childEnvironment({ PATH: path }),
    });
    child.once('error', reject);
    child.once('exit', code => resolve(code ?? 1));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = await testOnOtherNodes(process.argv.slice(2));
}
