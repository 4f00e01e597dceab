// The bootstrap, on a small checkout with a stand-in for npm and for the compilers: it does what is needed, once, and no more.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chmod, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { childEnvironment } from '../../setup/src/config.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const BOOTSTRAP = fileURLToPath(new URL('../../setup/bootstrap.mjs', import.meta.url));

test('it installs and compiles when needed, says so, and is silent the second time', async () => {
  const root = await checkout();
  const first = await run(root, ['exec', '--', 'status', 'OUT']);
  expect(first).toMatchObject({ code: 0, stdout: '["status","OUT"]\n' });
  expect(first.stderr).toMatch(
    /^\[layertap\] installed the packages \(.* s\)\n\[layertap\] compiled the sources \(.* s\)\n$/,
  );
  const second = await run(root, ['exec', '--', 'status', 'OUT']);
  expect(second).toEqual({ code: 0, signal: null, stdout: '["status","OUT"]\n', stderr: '' });
  expect(await calls(root)).toEqual(['npm ci', 'tsc', 'asc', 'bundle']);
});

test('a changed source is compiled again, a changed lock file installed again', async () => {
  const root = await checkout();
  await run(root, ['build']);
  await appendFile(join(root, 'shared', 'src', 'a.ts'), '// changed\n');
  await run(root, ['build']);
  await writeFile(join(root, 'package-lock.json'), lockFile('2.0.0'));
  await run(root, ['build']);
  expect(await calls(root)).toEqual(['npm ci', 'tsc', 'asc', 'bundle', 'tsc', 'asc', 'bundle', 'npm ci']);
});

test("packages that somebody's own npm install brought are not installed again", async () => {
  const root = await checkout();
  await mkdir(join(root, 'node_modules'));
  await cp(join(root, 'package-lock.json'), join(root, 'node_modules', '.package-lock.json'));
  await fakeCompilers(root);
  await run(root, ['build']);
  expect(await calls(root)).toEqual(['tsc', 'asc', 'bundle']);
});

test('three at the same time install and compile once, and all run', async () => {
  const root = await checkout();
  const runs = await Promise.all([1, 2, 3].map(number => run(root, ['exec', '--', String(number)])));
  expect(runs.map(({ code, stdout }) => [code, stdout])).toEqual([1, 2, 3].map(number => [0, `["${number}"]\n`]));
  expect(await calls(root)).toEqual(['npm ci', 'tsc', 'asc', 'bundle']);
});

test('start runs the demo, extracts from a path, and passes a command of its own name on', async () => {
  const root = await checkout();
  expect((await run(root, ['start'])).stdout).toBe('["demo"]\n');
  expect((await run(root, ['start', 'photos', '--layer', 'x'])).stdout).toBe('["extract","photos","--layer","x"]\n');
  expect((await run(root, ['start', 'doctor'])).stdout).toBe('["doctor"]\n');
  expect((await run(root, ['start', '--help'])).stdout).toBe('["--help"]\n');
});

test('sources that do not compile, or an npm that fails, end it with one reason and leave the old build', async () => {
  const root = await checkout();
  await run(root, ['build']);
  await writeFile(join(root, 'shared', 'src', 'a.ts'), 'BROKEN');
  const broken = await run(root, ['exec']);
  expect(broken).toMatchObject({ code: 1, stdout: '' });
  expect(broken.stderr).toContain('[layertap] The sources do not compile');
  expect(await readdir(root)).toContain('dist');
  expect((await readdir(root)).filter(name => name.startsWith('dist.'))).toEqual([]);
  await rm(join(root, 'node_modules'), { recursive: true });
  await writeFile(join(root, 'package-lock.json'), 'BROKEN');
  const failed = await run(root, ['exec']);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain('npm error no such package');
  expect(failed.stderr).not.toContain('page of options');
});

test('exit codes and signals pass through', async () => {
  const root = await checkout();
  expect((await run(root, ['exec', '--', 'exit', '7'])).code).toBe(7);
  for (const [signal, code] of [
    ['SIGINT', 21],
    ['SIGTERM', 22],
  ] as const) {
    const child = start(root, ['exec', '--', 'wait']);
    if (child.stdout) await once(child.stdout, 'data');
    child.kill(signal);
    expect((await once(child, 'exit'))[0]).toBe(code);
  }
  const killed = await run(root, ['exec', '--', 'killed']);
  expect(killed.signal).toBe('SIGKILL');
});

test('an unknown action is refused with the valid ones', async () => {
  const refused = await run(await checkout(), ['fly']);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('Expected one of start, test, setup, build, exec but received fly');
});

/** A checkout whose npm and compilers only note that they were called and write what the bootstrap expects of them. */
async function checkout(): Promise<string> {
  const root = await temporaryFolder();
  await mkdir(join(root, 'setup'));
  await cp(BOOTSTRAP, join(root, 'setup', 'bootstrap.mjs'));
  await mkdir(join(root, 'shared', 'src'), { recursive: true });
  await writeFile(join(root, 'shared', 'src', 'a.ts'), '');
  await writeFile(join(root, 'package-lock.json'), lockFile('1.0.0'));
  await mkdir(join(root, 'bin'));
  const npm = `#!/bin/sh
if grep -q BROKEN package-lock.json; then echo "npm error no such package" >&2; echo "npm error Usage: page of options" >&2; exit 1; fi
echo "npm ci" >> calls
rm -rf node_modules; mkdir node_modules; cp package-lock.json node_modules/.package-lock.json
cp -r bin/modules/* node_modules/
`;
  await writeFile(join(root, 'bin', 'npm'), npm);
  await chmod(join(root, 'bin', 'npm'), 0o755);
  await fakeCompilers(join(root, 'bin'), 'modules');
  const bundler = "import { appendFileSync } from 'node:fs';\nappendFileSync('calls', 'bundle\\n');\n";
  await writeFile(join(root, 'setup', 'bundle.mjs'), bundler);
  return root;
}

function lockFile(version: string): string {
  return JSON.stringify({ packages: { '': {}, 'node_modules/a': { version } } });
}

async function fakeCompilers(root: string, modules = 'node_modules'): Promise<void> {
  const main = `
    const [first, second] = process.argv.slice(2);
    if (first === 'exit') process.exit(Number(second));
    if (first === 'killed') process.kill(process.pid, 'SIGKILL');
    if (first === 'wait') {
      process.on('SIGINT', () => process.exit(21));
      process.on('SIGTERM', () => process.exit(22));
      setInterval(() => {}, 1000);
    }
    console.log(JSON.stringify(process.argv.slice(2)));`;
  const compiler = `
    const fs = require('node:fs');
    if (fs.readFileSync('shared/src/a.ts', 'utf8') === 'BROKEN') process.exit(2);
    fs.appendFileSync('calls', 'tsc\\n');
    const out = process.argv[process.argv.indexOf('--outDir') + 1];
    fs.mkdirSync(out + '/cli/src/commands', { recursive: true });
    fs.mkdirSync(out + '/setup/src', { recursive: true });
    fs.writeFileSync(out + '/package.json', '{ "type": "module" }');
    fs.writeFileSync(out + '/cli/src/main.js', ${JSON.stringify(main)});
    fs.writeFileSync(out + '/cli/src/commands/doctor.js', '');
    fs.writeFileSync(out + '/setup/src/prepare.js', 'export async function prepareStart() {}');`;
  await mkdir(join(root, modules, 'typescript', 'bin'), { recursive: true });
  await writeFile(join(root, modules, 'typescript', 'bin', 'tsc'), compiler);
  await mkdir(join(root, modules, 'assemblyscript', 'bin'), { recursive: true });
  const assembler = "require('node:fs').appendFileSync('calls', 'asc\\n');";
  await writeFile(join(root, modules, 'assemblyscript', 'bin', 'asc.js'), assembler);
}

function start(root: string, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [join(root, 'setup', 'bootstrap.mjs'), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: childEnvironment({ PATH: `${join(root, 'bin')}:/usr/bin:/bin`, TMPDIR: root }),
  });
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(root: string, args: readonly string[]): Promise<Ended> {
  const child = start(root, args);
  onTestFinished(() => void child.kill('SIGKILL'));
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      text[name] += chunk.toString();
    });
  }
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, ...text };
}

async function calls(root: string): Promise<readonly string[]> {
  return (await readFile(join(root, 'calls'), 'utf8')).trim().split('\n');
}
