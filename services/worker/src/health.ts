// The worker's health check, a program of its own: ends with 0 when Redis has heard of this machine's worker of late.
//
// It asks Redis, so that "healthy" covers the process, its event loop, the network and the queue at once, and the worker
// has nothing to do for it: a worker looks for jobs every few seconds and renews the locks of those in hand. Workers
// that reach Redis from one address (behind NAT, or several on one machine) answer for each other.
import { describeError } from '../../../shared/src/errors.ts';
import { silentLogger } from '../../../shared/src/logger.ts';
import { connectRedis, redactUrl } from '../../../shared/src/queues/redis-connection.ts';
import { readWorkerConfig } from './config.ts';

/** Longer than any pause between two commands of a worker, of which loading a large model is the longest. */
const SILENT_SECONDS = 120;

try {
  const { redis: url } = readWorkerConfig();
  const redis = await connectRedis({ url, logger: silentLogger });
  try {
    const id = String(await redis.client('ID'));
    const heard = secondsSinceHeard(String(await redis.client('LIST')), id);
    if (heard === undefined) throw new Error(`no worker of this machine is connected to Redis at ${redactUrl(url)}`);
    if (heard > SILENT_SECONDS) throw new Error(`this machine's worker has been silent for ${heard} s`);
    process.stdout.write(`Redis heard of this machine's worker ${heard} s ago\n`);
  } finally {
    redis.disconnect();
  }
} catch (error) {
  process.stdout.write(`${describeError(error)}\n`);
  process.exitCode = 1;
}

/** Seconds since any other client of the asking client's machine last sent a command; undefined where there is none. */
function secondsSinceHeard(list: string, id: string): number | undefined {
  const clients = list.split('\n').map(line => new Map(line.split(' ').map(field => splitOnce(field))));
  const own = clients.find(client => client.get('id') === id);
  const machine = machineOf(own?.get('addr'));
  const idle = clients
    .filter(client => client !== own && client.get('addr') !== undefined && machineOf(client.get('addr')) === machine)
    .map(client => Number(client.get('idle')));
  return idle.length === 0 ? undefined : Math.min(...idle);
}

function splitOnce(field: string): readonly [string, string] {
  const at = field.indexOf('=');
  return [field.slice(0, at), field.slice(at + 1)];
}

/** `172.18.0.4:51514` or `[::1]:51514` without the port. */
function machineOf(address = ''): string {
  return address.replace(/:\d+$/, '');
}
