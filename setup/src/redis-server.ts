// Runs a real redis-server or valkey-server of the machine's own, on loopback, for tests; it never outlives its parent.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readInfo } from '../../shared/src/queues/redis-info.ts';
import type { RedisSettings } from '../../shared/src/queues/redis-target.ts';
import { findProgram } from './command.ts';
import { childEnvironment } from './config.ts';

/** A server program and the folder of libraries that it needs, where it isn't installed. */
export interface RedisProgram {
  readonly program: string;
  readonly libraryPath?: string | undefined;
}

export interface RedisServerOptions extends RedisProgram {
  /** @default a free one */
  readonly port?: number;
  /** Where append-only data lies; it is kept. @default a temporary folder that goes with the server */
  readonly folder?: string;
  /** Asked of every client. @default none */
  readonly password?: string;
  /** Further arguments, for example `--appendonly yes`. */
  readonly extraArguments?: readonly string[];
  /** Runs as a Sentinel by this file, which it rewrites. */
  readonly sentinelFile?: string;
  /** How it is asked whether it is there. @default by its port and password */
  readonly reach?: RedisSettings;
}

export interface Redis {
  readonly url: string;
  /** Where it came from, in words. */
  readonly origin: string;
  close(): Promise<void>;
}

export interface RedisServer extends Redis {
  readonly port: number;
  /** Process id of the server itself, for tests that kill it. */
  readonly pid: number;
}

const START_MS = 60_000;
const STOP_MS = 5_000;

/**
 * A shell that starts the server and reads its own input: when the parent ends, however it ends, the input closes,
 * the server gets SIGTERM and, five seconds later, SIGKILL.
 */
const GUARD = `
exec 3<&0
"$@" </dev/null &
server=$!
echo "pid $server"
(
  read -r line <&3
  kill -TERM $server
  count=0
  while kill -0 $server && [ $count -lt 50 ]; do sleep 0.1; count=$((count + 1)); done
  kill -KILL $server
) >/dev/null 2>&1 &
wait $server
status=$?
[ -z "$LAYERTAP_REDIS_FOLDER" ] || rm -rf -- "$LAYERTAP_REDIS_FOLDER"
exit $status
`;

export function findRedisProgram(): RedisProgram | undefined {
  const program = findProgram('redis-server') ?? findProgram('valkey-server');
  return program ? { program } : undefined;
}

export async function startRedisServer(options: RedisServerOptions): Promise<RedisServer> {
  // A free port may be taken before the server binds it; with a given port there is no second choice.
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    try {
      return await startOn(port, options);
    } catch (error) {
      if (options.port !== undefined || attempt === 3) throw error;
    }
  }
}

async function startOn(port: number, options: RedisServerOptions): Promise<RedisServer> {
  const temporary = options.folder ? undefined : await mkdtemp(join(tmpdir(), 'layertap-redis-'));
  const password = options.password ? ['--requirepass', options.password] : [];
  const args = [
    ...(options.sentinelFile === undefined ? [] : [options.sentinelFile, '--sentinel']),
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', options.folder ?? temporary ?? '.'],
    ...(options.sentinelFile === undefined ? ['--save', '', '--maxmemory-policy', 'noeviction'] : []),
    ...['--daemonize', 'no', ...password, ...(options.extraArguments ?? [])],
  ];
  const guard = spawn('sh', ['-c', GUARD, 'redis-guard', options.program, ...args], {
    // stdout and stderr end with the guard; the server's log is kept for the message of a failed start.
    stdio: ['pipe', 'pipe', 'pipe'],
    env: childEnvironment({ LD_LIBRARY_PATH: options.libraryPath, LAYERTAP_REDIS_FOLDER: temporary }),
  });
  let log = '';
  for (const stream of [guard.stdout, guard.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-8000);
    });
  }
  guard.stdin.on('error', () => {});
  const ended = new Promise<void>(resolve => guard.once('close', () => resolve()));
  const serverPid = (): number => Number(/^pid (\d+)$/m.exec(log)?.[1] ?? 0);
  const auth = options.password ? `:${encodeURIComponent(options.password)}@` : '';
  const url = `redis://${auth}127.0.0.1:${port}`;
  const close = async (): Promise<void> => {
    guard.stdin.end();
    const stopped = await Promise.race([ended.then(() => true), delay(STOP_MS + 2000, false, { ref: false })]);
    if (!stopped) guard.kill('SIGKILL');
    if (temporary) await rm(temporary, { recursive: true, force: true });
  };
  let pid = 0;
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline && guard.exitCode === null && guard.signalCode === null) {
    pid ||= serverPid();
    const info = pid ? await readInfo(options.reach ?? { url }, 500) : undefined;
    // Another server may hold the port: only the one we started counts.
    if (info?.get('process_id') === String(pid)) return { url, origin: options.program, port, pid, close };
    await Promise.race([ended, delay(30)]);
  }
  await close();
  throw new Error(`Expected ${options.program} to serve port ${port} but it did not: ${log.trim().slice(-500)}`);
}

/** Free when asked for: whoever binds it may still find it taken. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
