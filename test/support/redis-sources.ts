// Where the tests' real Redis comes from, in order: REDIS_URL, Docker, a server of the machine, Debian's packages.

import { randomBytes } from 'node:crypto';
import { runCommand } from '../../setup/src/command.ts';
import { presetEnvironment, setupConfig } from '../../setup/src/config.ts';
import { unpackDebianRedis } from '../../setup/src/redis-debian.ts';
import { findRedisProgram, type Redis, startRedisServer } from '../../setup/src/redis-server.ts';
import { redactUrl } from '../../shared/src/queues/redis-address.ts';
import { readInfo } from '../../shared/src/queues/redis-info.ts';

const IMAGE = 'redis:7-alpine';
/** A container ends by itself after this time, so that a killed test run leaves none for ever. */
const CONTAINER_SECONDS = 3600;

type Source = (log: (line: string) => void) => Promise<Redis | undefined>;

/** Each source returns undefined where it has nothing to offer, and throws where it should have worked. */
const SOURCES: readonly Source[] = [fromUrl, fromDocker, fromMachine, fromDebian];

export async function findRedis(log: (line: string) => void = () => {}): Promise<Redis> {
  const reasons: string[] = [];
  for (const source of SOURCES) {
    try {
      const redis = await source(log);
      if (redis) return redis;
    } catch (error) {
      if (source === fromUrl) throw error; // Whoever names a Redis doesn't want another one.
      const reason = error instanceof Error ? error.message : String(error);
      log(`not taken: ${reason}`);
      reasons.push(reason);
    }
  }
  throw new Error(
    `Expected a Redis for the tests but found none: no \`REDIS_URL\`, no Docker engine with ${IMAGE}, no redis-server on the PATH. ${reasons.join('. ')}`,
  );
}

async function fromUrl(): Promise<Redis | undefined> {
  const { redisUrl } = setupConfig();
  if (!redisUrl) return undefined;
  const info = await readInfo({ url: redisUrl }, 5000);
  const address = redactUrl(redisUrl);
  if (!info) throw new Error(`Expected a Redis at \`REDIS_URL\` but ${address} does not answer; start it, or unset it`);
  return { url: redisUrl, origin: `REDIS_URL (${address}, ${info.get('redis_version')})`, close: async () => {} };
}

async function fromDocker(): Promise<Redis | undefined> {
  const engine = await runCommand('docker', ['version', '--format', '{{.Server.Version}}'], { timeoutMs: 5000 });
  if (!engine.ok) return undefined;
  const present = await runCommand('docker', ['image', 'inspect', IMAGE], { timeoutMs: 10_000 });
  if (!present.ok && !(await runCommand('docker', ['pull', '-q', IMAGE], { timeoutMs: 60_000 })).ok) return undefined;
  const ryuk = await runCommand('docker', ['images', '-q', 'testcontainers/ryuk'], { timeoutMs: 10_000 });
  // Without an image registry there is no container that removes the others: ours has a time limit instead.
  if (ryuk.stdout.trim() === '') {
    presetEnvironment({ TESTCONTAINERS_RYUK_DISABLED: 'true', TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1' });
  }
  const { GenericContainer, Wait } = await import('testcontainers');
  // The port may be open to the network, and without a password some builds refuse all but their own loopback.
  const password = randomBytes(12).toString('hex');
  const server = ['redis-server', '--save', '', '--maxmemory-policy', 'noeviction', '--requirepass', password];
  const container = await new GenericContainer(IMAGE)
    .withCommand(['timeout', String(CONTAINER_SECONDS), ...server])
    .withExposedPorts(6379)
    .withAutoRemove(true)
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .withStartupTimeout(60_000)
    .start();
  const url = `redis://:${password}@127.0.0.1:${container.getMappedPort(6379)}`;
  const close = async (): Promise<void> => void (await container.stop({ timeout: 2000 }));
  const info = await readInfo({ url }, 10_000);
  if (!info) {
    await close();
    throw new Error(`A container of ${IMAGE} started but its port does not answer`);
  }
  return { url, origin: `Docker (${IMAGE}, ${info.get('redis_version')})`, close };
}

async function fromMachine(): Promise<Redis | undefined> {
  const found = findRedisProgram();
  return found && startRedisServer(found);
}

async function fromDebian(log: (line: string) => void): Promise<Redis> {
  const server = await startRedisServer(await unpackDebianRedis({ log }));
  return { ...server, origin: `Debian's packages (${server.origin})` };
}
