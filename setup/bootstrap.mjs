// Sets everything up and then runs the program or its tests, for `npm start`, `npm test` and CI; needs Node and npm alone.
//
//   node setup/bootstrap.mjs start [PHOTOS --layer NAME --out DIR]   the demo, or the same on your own images
//   node setup/bootstrap.mjs test [FILE...]                          the tests
//   node setup/bootstrap.mjs build | setup | exec [ARGS]             compile | prepare all and report | the command line
//
// Plain JavaScript: it runs before the packages are installed and the sources are compiled.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DIST = join(ROOT, 'dist');
const MODULES = join(ROOT, 'node_modules');
const SOURCES = [
  ...['setup/src', 'setup/bundle.mjs', 'shared', 'extractor', 'services', 'cli', 'demo'],
  ...['tsconfig.json', 'tsconfig.build.json'],
];
/** No installation takes longer: an older lock was left by a process whose id another one has now. */
const LOCK_MS = 1_800_000;
const SOURCE_FILE = /\.(ts|mts|mjs|json)$/;

const [action = 'start', ...rest] = process.argv.slice(2);
const args = rest[0] === '--' ? rest.slice(1) : rest;

await main().catch(error => {
  say(error.message);
  process.exitCode = 1;
});

async function main() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (!(major >= 23 || (major === 22 && minor >= 12) || (major === 20 && minor >= 20))) {
    throw new Error(`Expected Node 20.20, 22.12, 24 or newer but found ${process.version}; install one of these`);
  }
  const actions = { start, test, setup, build: async () => {}, exec };
  if (!Object.hasOwn(actions, action)) {
    throw new Error(`Expected one of ${Object.keys(actions).join(', ')} but received ${action}`);
  }
  // One lock for both: the second of two bootstraps finds the work of the first one done.
  if (needsInstall() || needsBuild()) {
    await withLock(async () => {
      if (needsInstall()) await step('installed the packages', install);
      if (needsBuild()) await step('compiled the sources', build);
    });
  }
  await actions[action]();
}

async function start() {
  await prepare('prepareStart');
  await runProgram(args.length === 0 ? ['demo'] : commandOf(args));
}

async function test() {
  await prepare('prepareTest');
  await runNode([join(MODULES, 'vitest', 'vitest.mjs'), 'run', ...args]);
}

async function setup() {
  process.exitCode = (await prepare('prepareAll')) ? 0 : 1;
}

async function exec() {
  await runProgram(args);
}

/** `npm start -- PHOTOS …` means extract; a command's own name or a plain flag goes through as it is. */
function commandOf(given) {
  const [first] = given;
  const known = fs.existsSync(join(DIST, 'cli', 'src', 'commands', `${first}.js`)) && !fs.existsSync(first);
  return known || ['--help', '-h', '--version'].includes(first) ? given : ['extract', ...given];
}

async function prepare(name) {
  const module = await import(pathToFileURL(join(DIST, 'setup', 'src', 'prepare.js')).href);
  return module[name](say);
}

function runProgram(given) {
  return runNode([join(DIST, 'cli', 'src', 'main.js'), ...given]);
}

// ---- packages

function needsInstall() {
  const wanted = hashOf([join(ROOT, 'package-lock.json')]);
  const stamp = join(MODULES, '.layertap-lock');
  if (readText(stamp) === wanted) return false;
  if (!isInstalled()) return true;
  fs.writeFileSync(stamp, wanted);
  return false;
}

/** Somebody may have run `npm install` themselves: npm's own record then names every package at the locked version. */
function isInstalled() {
  try {
    const locked = JSON.parse(fs.readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
    const present = JSON.parse(fs.readFileSync(join(MODULES, '.package-lock.json'), 'utf8')).packages;
    return Object.entries(locked).every(
      ([path, entry]) =>
        path === '' || present[path]?.version === entry.version || (!present[path] && (entry.optional || entry.peer)),
    );
  } catch {
    return false;
  }
}

async function install() {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const result = spawnSync(npm, ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  if (result.error) throw new Error('Expected `npm` on the PATH but found none; it comes with Node');
  if (result.status !== 0) {
    const [reason = ''] = result.stderr.split(/^npm error Usage/m); // The rest is npm's page of options.
    throw new Error(
      `${reason.trim()}\nExpected \`npm ci\` to install the packages but it ended with status ${result.status}`,
    );
  }
  fs.writeFileSync(join(MODULES, '.layertap-lock'), hashOf([join(ROOT, 'package-lock.json')]));
}

// ---- compilation

function needsBuild() {
  return readText(join(DIST, '.stamp')) !== hashOf(SOURCES.map(source => join(ROOT, source)));
}

/** Compiles beside `dist` and swaps by rename, so that nobody ever runs half of a build. */
async function build() {
  const stamp = hashOf(SOURCES.map(source => join(ROOT, source)));
  const draft = `${DIST}.draft-${process.pid}`;
  const old = `${DIST}.old-${process.pid}`;
  for (const name of fs.readdirSync(ROOT)) {
    if (/^dist\.(draft|old)-\d+$/.test(name)) fs.rmSync(join(ROOT, name), { recursive: true, force: true });
  }
  try {
    const modules = name => join(MODULES, name);
    compile(modules('typescript/bin/tsc'), ['-p', 'tsconfig.build.json', '--outDir', draft]);
    const wasm = join(draft, 'extractor', 'assembly', 'preprocess.wasm');
    compile(modules('assemblyscript/bin/asc.js'), ['--config', 'extractor/assembly/asconfig.json', '--outFile', wasm]);
    compile(join(ROOT, 'setup', 'bundle.mjs'), [draft]);
    fs.writeFileSync(join(draft, '.stamp'), stamp);
    if (fs.existsSync(DIST)) fs.renameSync(DIST, old);
    fs.renameSync(draft, DIST);
  } finally {
    for (const path of [draft, old]) fs.rmSync(path, { recursive: true, force: true });
  }
}

function compile(compiler, given) {
  const { status } = spawnSync(process.execPath, [compiler, ...given], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) throw new Error('The sources do not compile; the compiler says why above');
}

function hashOf(paths) {
  const hash = createHash('sha256');
  const visit = path => {
    const found = fs.statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) {
      for (const name of fs.readdirSync(path).sort()) if (name !== 'node_modules') visit(join(path, name));
    } else if (found && SOURCE_FILE.test(path)) {
      hash.update(`${path.slice(ROOT.length)}\0${found.size}\0`).update(fs.readFileSync(path));
    }
  };
  for (const path of paths) visit(path);
  return hash.digest('hex');
}

// ---- processes

/** Runs Node on `given`, hands signals on, and ends as the child ended. */
function runNode(given) {
  const child = spawn(process.execPath, given, { cwd: process.cwd(), stdio: 'inherit' });
  // A terminal sends Ctrl-C to the whole foreground group: handing it on would count twice ("leave at once").
  const fromTerminal = Boolean(process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const onSignal = signal => {
    if (!(fromTerminal && signal === 'SIGINT')) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      for (const name of signals) process.off(name, onSignal);
      if (signal) {
        process.exitCode = 128 + (constants.signals[signal] ?? 0);
        process.kill(process.pid, signal);
      } else {
        process.exitCode = code ?? 1;
      }
      resolve();
    });
  });
}

/** Outside node_modules, which `npm ci` empties. The lock of a process that is gone is taken over. */
async function withLock(work) {
  const path = join(tmpdir(), `layertap-${createHash('sha256').update(ROOT).digest('hex').slice(0, 16)}.lock`);
  const draft = `${path}.${process.pid}`;
  fs.writeFileSync(draft, String(process.pid));
  let told = false;
  try {
    for (;;) {
      try {
        fs.linkSync(draft, path); // Appears with its content, or fails when one is there.
        break;
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
        const holder = Number(readText(path));
        const age = Date.now() - (fs.statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
        if ((holder && !isAlive(holder)) || age > LOCK_MS) {
          fs.rmSync(path, { force: true });
        } else {
          if (!told) say(`waiting for process ${holder}, which sets up this checkout`);
          told = true;
          await new Promise(resolve => setTimeout(resolve, 200));
        }
      }
    }
    try {
      return await work();
    } finally {
      fs.rmSync(path, { force: true });
    }
  } finally {
    fs.rmSync(draft, { force: true });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function readText(path) {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

async function step(done, work) {
  const started = performance.now();
  await work();
  say(`${done} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

function say(line) {
  process.stderr.write(`[layertap] ${line}\n`);
}
