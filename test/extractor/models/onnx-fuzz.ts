// Damages ONNX files by a seed and opens each: parsed in this process, as users do, and loaded and run in a child that
// can be killed. As a command: npx tsx test/extractor/models/onnx-fuzz.ts [COUNT [SEED]]
import { type ChildProcess, fork } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openModel } from '../../../extractor/src/model.ts';
import { Refusal } from '../../../shared/src/errors.ts';

export interface FuzzReport {
  readonly files: number;
  /** Refused while being read. */
  refused: number;
  /** Read, then refused by the runtime. */
  refusedByRuntime: number;
  /** Read, loaded and run: the damage lay in weights, or in what nobody needs. */
  loaded: number;
  /** Each with the number of its file: anything but a Refusal, a dead child, more than 5 s. */
  readonly failures: string[];
  /** Of the child, in MiB. */
  largestRssMb: number;
  slowestMs: number;
}

/** What the child answers. */
export interface FuzzAnswer {
  readonly outcome: 'loaded' | 'refused' | 'failed';
  readonly message: string;
  readonly rssMb: number;
  readonly ms: number;
}

const FOLDER = fileURLToPath(new URL('golden/onnx', import.meta.url));
const BASES = ['torch-opset21.onnx', 'branches.onnx', 'whole-numbers.onnx', 'external.onnx', 'half.onnx'];
const LONGEST_MS = 5000;

export async function fuzzOnnx(files: number, seed: number): Promise<FuzzReport> {
  const report: FuzzReport = {
    files,
    refused: 0,
    refusedByRuntime: 0,
    loaded: 0,
    failures: [],
    largestRssMb: 0,
    slowestMs: 0,
  };
  const folder = await mkdtemp(join(tmpdir(), 'layertap-fuzz-'));
  await mkdir(join(folder, 'parts'));
  for (const name of ['parts/first.bin', 'second.bin']) await copyFile(join(FOLDER, name), join(folder, name));
  let child: ChildProcess | undefined;
  try {
    for (let index = 0; index < files; index++) {
      const random = randomOf(seed + index);
      const base = BASES[index % BASES.length] ?? '';
      const path = join(folder, 'damaged.onnx');
      await writeFile(path, damage(await readFile(join(FOLDER, base)), random));
      if (await isReadable(path, report, `file ${index} (${base})`)) {
        child ??= startChild();
        const answer = await ask(child, path);
        if (typeof answer === 'string') {
          report.failures.push(`file ${index} (${base}): ${answer}`);
          child.kill('SIGKILL');
          child = undefined;
        } else {
          if (answer.outcome === 'failed') report.failures.push(`file ${index} (${base}): ${answer.message}`);
          if (answer.outcome === 'loaded') report.loaded++;
          if (answer.outcome === 'refused') report.refusedByRuntime++;
          report.largestRssMb = Math.max(report.largestRssMb, answer.rssMb);
          report.slowestMs = Math.max(report.slowestMs, answer.ms);
        }
      }
    }
  } finally {
    child?.kill('SIGKILL');
    await rm(folder, { recursive: true });
  }
  return report;
}

/** Read in this process. */
async function isReadable(path: string, report: FuzzReport, file: string): Promise<boolean> {
  const started = performance.now();
  try {
    await openModel(path);
    return true;
  } catch (error) {
    if (error instanceof Refusal) report.refused++;
    else report.failures.push(`${file}: ${error}`);
    return false;
  } finally {
    const ms = performance.now() - started;
    report.slowestMs = Math.max(report.slowestMs, ms);
    if (ms > LONGEST_MS) report.failures.push(`${file}: took longer than ${LONGEST_MS} ms`);
  }
}

function startChild(): ChildProcess {
  const script = fileURLToPath(new URL('onnx-fuzz-process.ts', import.meta.url));
  return fork(script, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
}

/** The answer, or how there came none. The child's start is not counted: it says when it is ready. */
function ask(child: ChildProcess, path: string): Promise<FuzzAnswer | string> {
  return new Promise(resolve => {
    let timer: NodeJS.Timeout | undefined;
    const end = (answer: FuzzAnswer | string): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      resolve(answer);
    };
    child.on('message', (message: FuzzAnswer | 'started') => {
      if (message !== 'started') end(message);
      else timer = setTimeout(() => end(`took longer than ${LONGEST_MS} ms`), LONGEST_MS);
    });
    child.once('exit', (code, signal) => end(`the process ended by ${signal ?? code}`));
    child.send(path);
  });
}

/** Cut off, or with bits flipped, bytes set, a piece taken out or a piece doubled. */
function damage(bytes: Uint8Array, random: () => number): Uint8Array {
  const at = (length: number): number => Math.floor(random() * length);
  const copy = Uint8Array.from(bytes);
  const kind = at(5);
  if (kind === 0) return copy.subarray(0, at(copy.length));
  if (kind === 1) {
    for (let flips = 1 + at(8); flips > 0; flips--) {
      const place = at(copy.length);
      copy[place] = (copy[place] ?? 0) ^ (1 << at(8));
    }
    return copy;
  }
  // Lengths and sizes that claim far more than there is.
  if (kind === 2) return copy.fill(255, at(copy.length), at(copy.length) + 1 + at(9));
  const [start, length] = [at(copy.length), 1 + at(64)];
  const rest = copy.subarray(kind === 3 ? start + length : start);
  return Buffer.concat([copy.subarray(0, kind === 3 ? start : start + length), rest]);
}

/** Mulberry32: the same numbers from 0 to 1 for the same seed. */
function randomOf(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const report = await fuzzOnnx(Number(process.argv[2] ?? 1000), Number(process.argv[3] ?? 1));
  process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  process.exitCode = report.failures.length === 0 ? 0 : 1;
}
