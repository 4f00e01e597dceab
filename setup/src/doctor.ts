// Examines every piece the program stands on and says how to mend what is missing, for `layertap doctor` and the set-up.

import { readFileSync } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { Refusal } from '../../shared/src/errors.ts';
import { queueOptions } from '../../shared/src/extract-options.ts';
import type { Logger } from '../../shared/src/logger.ts';
import { parseOptions } from '../../shared/src/options.ts';
import { usableMemory, usableProcessors } from '../../shared/src/processors.ts';
import { queueSettings } from '../../shared/src/queues/queue-settings.ts';
import { connectRedis } from '../../shared/src/queues/redis-connection.ts';
import { folderBytes } from './cache.ts';
import { describeFailure, findProgram, runCommand } from './command.ts';
import { childEnvironment, setupConfig } from './config.ts';
import { placeOfCache } from './made-cache.ts';
import { megabytes } from './progress.ts';
import { telemetryLeftovers } from './telemetry-leftovers.ts';
import { findTfjsNode } from './tensorflow-binding.ts';
import { tensorFlowStatus } from './tensorflow-library.ts';

export interface Finding {
  readonly piece: string;
  /** `warn`: the program runs without it, with less; `missing`: it doesn't run. */
  readonly ok: 'ok' | 'warn' | 'missing';
  readonly detail: string;
  /** What to do, where something can be done. */
  readonly fix?: string;
}

const LOAD_MS = 60_000;

/** All pieces at once: the whole takes as long as its slowest one, about a second. */
export function examine(): Promise<readonly Finding[]> {
  return Promise.all([
    examineNode(),
    examineTensorFlow(),
    examineOnnx(),
    examineTelemetry(),
    examineSharp(),
    examineRedis(),
    examineDocker(),
    examineCache(),
    examineProcessor(),
    examineMemory(),
  ]);
}

export function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(0, ...findings.map(finding => finding.piece.length));
  const lines = findings.flatMap(({ piece, ok, detail, fix }) => [
    `${ok.padEnd(8)}${piece.padEnd(width)}  ${detail}`,
    ...(fix && ok !== 'ok' ? [`${' '.repeat(10 + width)}→ ${fix}`] : []),
  ]);
  return lines.join('\n');
}

async function examineNode(): Promise<Finding> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fits = major >= 23 || (major === 22 && minor >= 12) || (major === 20 && minor >= 20);
  return {
    piece: 'Node',
    ok: fits ? 'ok' : 'missing',
    detail: `${process.version}, ${process.platform} ${process.arch}, N-API ${process.versions.napi}`,
    fix: 'install Node 20.20, 22.12, 24 or newer',
  };
}

async function examineTensorFlow(): Promise<Finding> {
  const piece = 'TensorFlow';
  const status = tensorFlowStatus();
  if (!status.available) {
    return {
      piece,
      ok: 'warn',
      detail: status.reason,
      fix: `${setupConfig().tensorFlow === 'off' ? 'unset LAYERTAP_TENSORFLOW' : '`npx layertap setup`'}; until then models that cannot be compiled run on wasm, more slowly`,
    };
  }
  const origin = status.origin === 'wheel' ? 'from the Python wheel' : "tfjs-node's own prebuilt";
  const detail = `${status.version} (${origin}), ${status.path}`;
  const loaded = await loadInChild(
    `const util = require('node:util'); util.isNullOrUndefined ??= v => v == null; util.isArray ??= Array.isArray;
     console.log(require(process.argv[1]).getBackend());`,
    findTfjsNode()?.folder ?? '',
  );
  if (loaded.ok) return { piece, ok: 'ok', detail };
  const fix = `remove ${status.path.replace(/\/deps\/lib$/, '')}, then \`npx layertap setup\``;
  return { piece, ok: 'warn', detail: `${detail}, does not load: ${loaded.text}`, fix };
}

async function examineOnnx(): Promise<Finding> {
  const loaded = await loadPackage(
    'onnxruntime-node',
    `, telemetry ' + (process.env.ORT_DISABLE_TELEMETRY === '1' ? 'off' : 'on') + '`,
  );
  return { piece: 'ONNX Runtime', ...loaded, fix: '`npm install` (its library is part of the npm package)' };
}

/** The library's own; Layertap has none. */
async function examineTelemetry(): Promise<Finding> {
  const piece = 'telemetry';
  const off = 'off (`ORT_DISABLE_TELEMETRY=1`, whatever the environment says)';
  const left = await telemetryLeftovers();
  if (left.length === 0) return { piece, ok: 'ok', detail: `${off}, and no files of it` };
  return {
    piece,
    ok: 'warn',
    detail: `${off}, but an ONNX Runtime that had it on left ${left.join(', ')}`,
    fix: `an identifier of this machine and events about models, from an earlier Layertap or another program; delete them: rm -rf ${left.map(quoted).join(' ')}`,
  };
}

/** For a POSIX shell, where it needs quotes. */
function quoted(path: string): string {
  return /^[\w./:*-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

async function examineSharp(): Promise<Finding> {
  const loaded = await loadPackage('sharp', `, libvips ' + loaded.versions.vips + '`);
  return { piece: 'sharp', ...loaded, fix: '`npm install --include=optional` (its library is an optional package)' };
}

async function examineRedis(): Promise<Finding> {
  const piece = 'Redis';
  const program = findProgram('redis-server') ?? findProgram('valkey-server');
  const local = program ? `${program} on this machine` : 'no redis-server on the PATH';
  if (!setupConfig().redisUrl) {
    const fix = 'only `enqueue` and `work` need one: start a Redis 6.2 or newer and set `REDIS_URL`';
    return { piece, ok: program ? 'ok' : 'warn', detail: `REDIS_URL is not set; ${local}`, fix };
  }
  try {
    // As a producer and a worker connect, with the same probe.
    const warnings: string[] = [];
    const logger: Logger = { log: (_level, message) => void warnings.push(message) };
    const { values } = parseOptions(queueOptions, { argv: [], env: childEnvironment(), command: 'layertap work' });
    const connection = await connectRedis({ ...queueSettings(values), logger });
    await connection.close();
    const [first] = connection.servers;
    const place = connection.kind === 'cluster' ? `a cluster of ${connection.servers.length} masters, ` : '';
    const policy = first?.evictionPolicy === undefined ? '' : `, maxmemory-policy ${first.evictionPolicy}`;
    const detail = `${connection.shown} is ${place}${first?.name ?? 'Redis'}${policy}`;
    const [warning] = warnings;
    return warning === undefined ? { piece, ok: 'ok', detail } : { piece, ok: 'warn', detail, fix: warning };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { piece, ok: 'warn', detail: `${error.message}; ${local}`, ...(error.hint && { fix: error.hint }) };
  }
}

async function examineDocker(): Promise<Finding> {
  const piece = 'Docker';
  const asked = await runCommand('docker', ['version', '--format', '{{.Server.Version}}'], { timeoutMs: 5000 });
  if (asked.ok) return { piece, ok: 'ok', detail: `engine ${asked.stdout.trim()}` };
  const detail = asked.missing ? 'not installed' : 'installed, but no engine answers';
  return { piece, ok: 'warn', detail, fix: 'only `docker compose` and its tests need one' };
}

async function examineCache(): Promise<Finding> {
  const piece = 'cache';
  const place = placeOfCache();
  // Not made here: the doctor only looks. The nearest folder above says whether it can be made.
  let folder = place;
  let found = await stat(folder).catch(() => undefined);
  while (!found && dirname(folder) !== folder) {
    folder = dirname(folder);
    found = await stat(folder).catch(() => undefined);
  }
  const writable = await access(folder, constants.W_OK).then(
    () => found?.isDirectory() === true,
    () => false,
  );
  const { cacheRoot, installedRoot } = setupConfig();
  const installed = installedRoot === cacheRoot ? '' : `; what was installed is in ${installedRoot}`;
  if (writable) return { piece, ok: 'ok', detail: `${place}, ${megabytes(await folderBytes(place))}${installed}` };
  return {
    piece,
    ok: 'warn',
    detail: `${place} cannot be written: each command compiles its models in a temporary folder${installed}`,
    fix: 'set `LAYERTAP_CACHE` to a folder that this user can write',
  };
}

async function examineProcessor(): Promise<Finding> {
  const model = cpus()[0]?.model ?? 'unknown';
  const features = processorFeatures();
  const slow = process.arch === 'x64' && process.platform === 'linux' && !features.includes('avx2');
  return {
    piece: 'CPU',
    ok: slow ? 'warn' : 'ok',
    detail: `${usableProcessors()} × ${model}${features.length > 0 ? `; ${features.join(' ')}` : ''}`,
    fix: 'this CPU has no AVX2: expect a fraction of the usual speed',
  };
}

/** Those of the CPU's features that decide how fast convolutions are. */
function processorFeatures(): readonly string[] {
  const wanted =
    /^(avx|avx2|fma|f16c|avx512f|avx512_vnni|avx_vnni|avx512_bf16|avx512_fp16|amx_.*|asimd|asimddp|sve|sve2|bf16|i8mm)$/;
  try {
    const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
    return line.split(' ').filter(name => wanted.test(name));
  } catch {
    return []; // Not Linux.
  }
}

async function examineMemory(): Promise<Finding> {
  const total = usableMemory();
  const detail = `${(total / 2 ** 30).toFixed(1)} GiB${total < totalmem() ? ' (limit of this container or control group)' : ''}`;
  const small = total < 2 * 2 ** 30;
  return {
    piece: 'memory',
    ok: small ? 'warn' : 'ok',
    detail,
    fix: 'under 2 GiB: use a small `--batch` and one process',
  };
}

async function loadPackage(name: string, suffix: string): Promise<Pick<Finding, 'ok' | 'detail'>> {
  const require = createRequire(import.meta.url);
  let path: string;
  try {
    path = require.resolve(name);
  } catch {
    return { ok: 'missing', detail: 'the package is not installed' };
  }
  const loaded = await loadInChild(
    `const loaded = require(process.argv[1]);
     let folder = require('node:path').dirname(process.argv[1]);
     const fs = require('node:fs');
     const own = f => { try { const m = JSON.parse(fs.readFileSync(f + '/package.json')); return m.version ? m : null; } catch { return null; } };
     while (!own(folder)) folder = require('node:path').dirname(folder);
     console.log(own(folder).version + '${suffix}');`,
    path,
  );
  return { ok: loaded.ok ? 'ok' : 'missing', detail: loaded.ok ? loaded.text : `does not load: ${loaded.text}` };
}

/** A native library that doesn't fit ends the process that loads it: that must be a finding, not the doctor's end. */
async function loadInChild(script: string, path: string): Promise<{ readonly ok: boolean; readonly text: string }> {
  const result = await runCommand(process.execPath, ['-e', script, path], {
    timeoutMs: LOAD_MS,
    env: { TF_CPP_MIN_LOG_LEVEL: '3', NODE_OPTIONS: undefined },
  });
  return { ok: result.ok, text: result.ok ? result.stdout.trim() : describeFailure('node', result) };
}
