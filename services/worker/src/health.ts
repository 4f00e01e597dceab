// The worker's health check, a program of its own: ends with 0 when Redis has heard of this machine's worker of late.
//
// It asks Redis, so that "healthy" covers the process, its event loop, the network and the queue at once, and the worker
// has nothing to do for it: a worker looks for jobs every few seconds and renews the locks of those in hand. Workers
// that reach Redis from one address (behind NAT, or several on one machine) answer for each other.
import { describeError } from '../../../shared/src/errors.ts';
import { silentLogger } from '../../../shared/src/logger.ts';
import { queueSettings } from '../../../shared/src/queues/queue-settings.ts';
import { connectRedis, serversOf } from '../../../shared/src/queues/redis-connection.ts';
import { isOutage } from '../../../shared/src/queues/redis-outages.ts';
import { readWorkerConfig } from './config.ts';

type Server = ReturnType<typeof serversOf>[number];

/** Longer than any pause between two commands of a worker, of which loading a large model is the longest. */
const SILENT_SECONDS = 120;

try {
  const settings = queueSettings(readWorkerConfig());
  const connection = await connectRedis({ ...settings, logger: silentLogger, access: 'read' });
  try {
    const seconds: number[] = [];
    // In a cluster the worker speaks to the master that serves its queue.
    for (const server of serversOf(connection)) {
      const heard = await heardBy(server);
      if (heard !== undefined) seconds.push(heard);
    }
    const heard = Math.min(...seconds);
    if (seconds.length === 0) throw new Error(`no worker of this machine is connected to Redis at ${connection.shown}`);
    if (heard > SILENT_SECONDS) throw new Error(`this machine's worker has been silent for ${heard} s`);
    process.stdout.write(`Redis heard of this machine's worker ${heard} s ago\n`);
  } finally {
    await connection.close();
  }
} catch (error) {
  process.stdout.write(`${describeError(error)}\n`);
  process.exitCode = 1;
}

/** Undefined also for a master of a cluster that is gone: another one answers for it. */
async function heardBy(server: Server): Promise<number | undefined> {
  try {
    const id = String(await server.client('ID'));
    return secondsSinceHeard(String(await server.client('LIST')), id);
  } catch (error) {
    if (isOutage(error)) return undefined;
    throw error;
  }
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
