// Runs `npm start` and `npm test` on machines that have Node and nothing else, in containers, for `npm run test:bare`.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { cp, lstat, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { makeFolders } from '../../shared/src/make-folders.ts';
import { type CommandOptions, type CommandResult, describeFailure, runCommand } from './command.ts';
import { prepareNode } from './node-versions.ts';

/** Owners of checkout and processes: root, and the user of the Node images who has no rights beyond its home. */
const USERS = { root: 'root', user: 'node' } as const;
const MAJORS: readonly number[] = [20, 22, 24];
const CHECKOUT = '/checkout';
const START_MS = 20 * 60_000;
const TEST_MS = 120 * 60_000;

const HELP = `npm run test:bare -- [--as root|user]... [--node 20|22|24]... [--cpus N] [--logs FOLDER] [TEST FILE]...

Does what README says, npm start and npm test, in containers of node:MAJOR-bookworm-slim, on a clean copy of this checkout.
Without arguments as root and as a user without rights, on each Node. --cpus bounds the processors of a container; --logs
keeps what the commands print, as they print it.
`;

interface Combination {
  readonly as: keyof typeof USERS;
  readonly major: number;
}

interface Options {
  readonly combinations: readonly Combination[];
  readonly cpus: string | undefined;
  readonly logs: string | undefined;
  readonly files: readonly string[];
}

interface Outcome extends Combination {
  readonly ok: boolean;
  readonly start: string;
  readonly test: string;
  /** Lines of the run: "64 skipped: no git". */
  readonly skipped: readonly string[];
}

/** Returns the exit status: 0 where every combination passes. */
export async function testOnBareMachines(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === undefined) return 0;
  const engine = await docker(['version', '--format', '{{.Server.Version}}']);
  if (!engine.ok)
    throw new Error(`Expected a Docker engine for bare machines but ${describeFailure('docker', engine)}`);
  const checkout = await copyCheckout();
  const outcomes: Outcome[] = [];
  try {
    for (const combination of options.combinations) outcomes.push(await runCombination(combination, checkout, options));
  } finally {
    await rm(checkout, { recursive: true, force: true });
  }
  process.stdout.write(`${formatOutcomes(outcomes)}\n`);
  return outcomes.every(({ ok }) => ok) ? 0 : 1;
}

/** The combinations by user and Node, then why tests were skipped. */
export function formatOutcomes(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ as, major, start, test }) => [as, String(major), start, test]);
  const table = [['as', 'Node', 'npm start', 'npm test'], ...rows];
  const widths = [0, 1, 2, 3].map(column => Math.max(...table.map(row => row[column]?.length ?? 0)));
  const lines = table.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const reasons = outcomes.flatMap(({ as, major, skipped }) => skipped.map(line => `${as}, Node ${major}: ${line}`));
  return [...lines, ...(reasons.length > 0 ? ['', ...reasons] : [])].join('\n');
}

/** How many tests passed, failed and were skipped, from the summary that vitest prints. */
export function readSummary(output: string): { readonly counts: string; readonly skipped: readonly string[] } {
  const counts = /^ *Tests {2}(.*)$/m.exec(output)?.[1] ?? 'no test ran';
  return { counts, skipped: [...output.matchAll(/^ *(\d+ skipped: .*)$/gm)].map(match => match[1] ?? '') };
}

function readOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      as: { type: 'string', multiple: true },
      node: { type: 'string', multiple: true },
      cpus: { type: 'string' },
      logs: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return undefined;
  }
  const users = (values.as ?? Object.keys(USERS)).map((as): Combination['as'] => {
    if (as === 'root' || as === 'user') return as;
    throw new TypeError(`Expected root or user for --as but received ${as}`);
  });
  const majors = (values.node ?? MAJORS).map(major => {
    if (MAJORS.includes(Number(major))) return Number(major);
    throw new TypeError(`Expected one of ${MAJORS.join(', ')} for --node but received ${major}`);
  });
  const combinations = users.flatMap(as => majors.map(major => ({ as, major })));
  return { combinations, cpus: values.cpus, logs: values.logs, files: positionals };
}

/** What git knows of this checkout, or would take: no packages, no build and no history. */
async function copyCheckout(): Promise<string> {
  const listed = await runCommand('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard']);
  if (!listed.ok) throw new Error(`Expected a git checkout to copy but ${describeFailure('git ls-files', listed)}`);
  const folder = await mkdtemp(join(tmpdir(), 'layertap-bare-'));
  for (const path of new Set(listed.stdout.split('\0').filter(name => name !== ''))) {
    if (!(await lstat(path).catch(() => undefined))) continue; // Removed, but not yet from the index.
    await makeFolders(dirname(join(folder, path)));
    await cp(path, join(folder, path));
  }
  return folder;
}

async function runCombination(combination: Combination, checkout: string, options: Options): Promise<Outcome> {
  const { as, major } = combination;
  const say = (line: string): void => void process.stderr.write(`[layertap] ${as}, Node ${major}: ${line}\n`);
  const machine = await openMachine(combination, checkout, options);
  try {
    const run = async (title: string, command: readonly string[], timeoutMs: number): Promise<Step> => {
      say(`npm ${title}`);
      const started = performance.now();
      const log = await openLog(`${as}-${major}-${title}.log`, options.logs);
      const result = await machine.run(command, { timeoutMs, onOutput: chunk => log?.write(chunk) });
      log?.end();
      const output = `${result.stdout}${result.stderr}`;
      const seconds = `${Math.round((performance.now() - started) / 1000)} s`;
      say(`npm ${title} ${result.ok ? 'passes' : 'fails'} (${seconds})`);
      if (!result.ok) process.stderr.write(`${output.slice(-20_000)}\n`);
      return { ok: result.ok, output, seconds };
    };
    const start = await run('start', ['npm', 'start'], START_MS);
    const test = await run('test', ['npm', 'test', '--', ...options.files], TEST_MS);
    const { counts, skipped } = readSummary(test.output);
    const told = (step: Step): string => `${step.ok ? 'ok' : 'FAILS'}, ${step.seconds}`;
    return {
      ...combination,
      ok: start.ok && test.ok,
      start: told(start),
      test: `${told(test)}, ${counts}`,
      skipped,
    };
  } finally {
    await machine.close();
  }
}

async function openLog(name: string, folder: string | undefined): Promise<WriteStream | undefined> {
  if (folder === undefined) return undefined;
  await makeFolders(folder);
  return createWriteStream(join(folder, name));
}

interface Step {
  readonly ok: boolean;
  readonly output: string;
  readonly seconds: string;
}

interface Machine {
  run(command: readonly string[], options: CommandOptions): Promise<CommandResult>;
  close(): Promise<void>;
}

/** A container that goes when this process does, however that ends: its first process reads our end of a pipe. */
async function openMachine({ as, major }: Combination, checkout: string, { cpus }: Options): Promise<Machine> {
  const { image, node } = await findImage(major);
  const name = `layertap-bare-${as}-${major}-${process.pid}`;
  const limit = `${Math.ceil((START_MS + TEST_MS) / 1000) + 300}`;
  const bounds = cpus === undefined ? [] : ['--cpus', cpus];
  // The shell also reaps what others leave behind, as an init process does.
  const first = ['sh', '-c', `echo ready; timeout ${limit} cat; true`];
  const child = spawn('docker', ['run', '--rm', '-i', '--name', name, ...bounds, image, ...first], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.on('error', () => {});
  const close = async (): Promise<void> => {
    child.stdin.end();
    await docker(['rm', '-f', name]);
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  try {
    await untilReady(child);
    if (node !== undefined) await ensure(['cp', node, `${name}:/usr/local/bin/node`]);
    await ensure(['cp', checkout, `${name}:${CHECKOUT}`]);
    await ensure(['exec', '-u', 'root', name, 'chown', '-R', `${USERS[as]}:`, CHECKOUT]);
    const version = await ensure(['exec', '-u', USERS[as], name, 'node', '--version']);
    if (!version.stdout.startsWith(`v${major}.`)) throw new Error(`Expected Node ${major} but found ${version.stdout}`);
  } catch (error) {
    await close();
    throw error;
  }
  const exec = ['exec', '-u', USERS[as], '-w', CHECKOUT, '-e', 'NO_COLOR=1', name];
  return { run: (command, options) => docker([...exec, ...command], options), close };
}

/** The image of that Node; where it can't be had, that of another Node and the program to put into it. */
async function findImage(major: number): Promise<{ readonly image: string; readonly node?: string }> {
  const imageOf = (of: number): string => `node:${of}-bookworm-slim`;
  const isPresent = async (image: string): Promise<boolean> => (await docker(['image', 'inspect', image])).ok;
  const image = imageOf(major);
  if ((await isPresent(image)) || (await docker(['pull', '-q', image])).ok) return { image };
  for (const other of MAJORS) {
    if (!(await isPresent(imageOf(other)))) continue;
    const log = (line: string): void => void process.stderr.write(`[layertap] ${line}\n`);
    return { image: imageOf(other), node: await prepareNode(major, { log }) };
  }
  throw new Error(`Expected the image ${image} but could neither find nor pull it; \`docker pull ${image}\` says why`);
}

async function untilReady(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`Expected \`docker run\` to start a container but it ended with status ${code}`);
  });
  ended.catch(() => {}); // Once the container stands, its end is no news.
  await Promise.race([once(child.stdout ?? child, 'data'), ended]);
}

async function ensure(args: readonly string[]): Promise<CommandResult> {
  const result = await docker(args);
  if (!result.ok) throw new Error(describeFailure(`docker ${args.join(' ')}`, result));
  return result;
}

function docker(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return runCommand('docker', args, { timeoutMs: 300_000, ...options });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = await testOnBareMachines(process.argv.slice(2));
}
