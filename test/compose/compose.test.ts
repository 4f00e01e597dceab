// Three workers in containers on one run, as docker-compose.yml starts them; one of them is stopped midway.

import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LOWERING } from '../../extractor/src/compile/lowering-version.ts';
import type { ShardReceipt } from '../../shared/src/receipt.ts';
import { findRun, openRun, readReceipts, SUMMARY_FILE } from '../../shared/src/run.ts';
import type { Storage } from '../../shared/src/storage.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { verifyRun } from '../../shared/src/verify-run.ts';
import {
  type ComposeProject,
  type Container,
  openComposeProject,
  removeLeftProjects,
  whyNoCompose,
} from './compose.ts';

const WORKERS = 3;
const ROWS = 240;
const SHARD_SIZE = 2;
/** `LAYERTAP_WORKER_TARGET=tensorflow npm run test:compose` takes the other image. */
const TARGET = process.env.LAYERTAP_WORKER_TARGET ?? 'onnx';
/** A cold build downloads every package, and TensorFlow where it is asked for. */
const BUILD_MS = 20 * 60_000;
const START_MS = 4 * 60_000;
const RUN_MS = 4 * 60_000;

/** The producer's container beside the services: its own command, or one that follows. */
const RUN_PRODUCER = ['run', '--rm', '--no-deps', '-T', 'producer'];
const EXTRACT = 'layertap extract /photos --model /app/demo/model/model.json --layer conv3,features --limit 8 --json';

const reason = await whyNoCompose();

describe.skipIf(reason !== undefined)(
  `docker compose up --scale worker=3${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let folder: string;
    let project: ComposeProject;
    let storage: Storage;
    let workers: readonly Container[];

    beforeAll(async () => {
      await removeLeftProjects();
      folder = await mkdtemp(join(tmpdir(), 'layertap-compose-'));
      // The services' user is another one than that of the test.
      await chmod(folder, 0o777);
      const uid = process.getuid?.() ?? 0;
      project = openComposeProject({
        LAYERTAP_WORKER_TARGET: TARGET,
        LAYERTAP_OUTPUT: folder,
        LAYERTAP_OUT: '/out/run',
        LAYERTAP_LIMIT: String(ROWS),
        LAYERTAP_SHARD_SIZE: String(SHARD_SIZE),
        // Makes the run last some seconds on every machine, so that its middle can be met.
        LAYERTAP_WORKER_CPUS: '0.4',
        ...(uid === 0 ? {} : { LAYERTAP_UID: String(uid), LAYERTAP_GID: String(process.getgid?.()) }),
      });
      await project.compose(['build', 'worker'], BUILD_MS);
      await project.compose(['up', '--detach', '--no-build', '--scale', `worker=${WORKERS}`], START_MS);
      workers = await project.containers('worker');
      storage = openFileStorage(join(folder, 'run'));
    }, BUILD_MS + START_MS);

    afterAll(async () => {
      await project?.close();
      await rm(folder, { recursive: true, force: true });
    }, 240_000);

    test(
      'a worker that is stopped in the middle of the run finishes its shards and ends with 0',
      async () => {
        await untilEachWorkerHasDone(1);
        expect(await storage.read(SUMMARY_FILE)).toBeUndefined();
        const [stopped] = workers;
        await project.docker(['stop', '--time', '60', stopped?.id ?? ''], 90_000);
        const after = (await project.containers('worker')).find(({ id }) => id === stopped?.id);
        expect(after).toMatchObject({ status: 'exited', exitCode: 0 });
      },
      RUN_MS,
    );

    test(
      'the producer ends with 0 and every row is there once',
      async () => {
        const producer = await untilProducerEnds();
        expect(
          producer,
          await project.compose(['logs', '--no-color', '--tail', '20', 'producer'], 30_000),
        ).toMatchObject({
          exitCode: 0,
        });
        const run = await openRun(storage);
        // The compiled model, in either image; with the slower engine in its place the run would say why.
        expect(run.request).toMatchObject({ engine: 'onnx', lowering: LOWERING });
        const { rows, ok, failed, damages } = await verifyRun(storage, run);
        expect(damages).toEqual([]);
        expect({ rows, seen: ok + failed }).toEqual({ rows: ROWS, seen: ROWS });
        const summary = JSON.parse(new TextDecoder().decode(await storage.read(SUMMARY_FILE))) as Record<
          string,
          unknown
        >;
        expect(summary).toMatchObject({ rows: ROWS, ok, failed });
      },
      RUN_MS,
    );

    test('each of the three workers is named in the receipts', async () => {
      const hosts = new Set((await receipts()).map(receipt => receipt.worker.host));
      expect([...hosts].sort()).toEqual(workers.map(({ hostname }) => hostname).sort());
    });

    test('no service runs as root, and nothing but the output can be written', async () => {
      const [redis] = await project.containers('redis');
      const worker = await runningWorker();
      expect(await project.docker(['exec', redis?.id ?? '', 'stat', '-c', '%u', '/proc/1'])).not.toBe('0');
      const uids = await project.docker(['exec', worker, 'sh', '-c', 'stat -c %u /proc/[0-9]*/exe; id -u']);
      expect(new Set(uids.split('\n'))).toEqual(new Set([String(process.getuid?.() || 1000)]));
      for (const path of ['/app/dist', '/photos', '/models']) {
        const written = await project.tryDocker(['exec', worker, 'touch', `${path}/written`]);
        expect(written.stderr).toMatch(/Read-only file system/);
      }
      await project.docker(['exec', worker, 'touch', '/out/written']);
    });

    test('the workers compute with the model that the producer compiled', async () => {
      const logs = await project.compose(['logs', '--no-color', '--no-log-prefix', 'worker'], 30_000);
      const ready = logs.split('\n').filter(line => line.includes('ready for the first batch'));
      expect(ready.length).toBeGreaterThanOrEqual(WORKERS);
      for (const line of ready) expect(line).toContain('onnx is ready');
      expect(logs).not.toContain('"level":"warn"');
    });

    test(
      'one volume for the output and one for the cache serve two users, one after the other',
      async () => {
        for (const user of ['1000', '1234']) {
          const extracted = await extract(user, `/out/of-${user}`, [
            ...['--volume', `${project.name}_output:/out`],
            ...['--volume', `${project.name}_cache:/var/cache/layertap`],
          ]);
          expect(extracted).toMatchObject({ rows: 8 });
        }
        // Nobody loads a compiled model that somebody else could have put there.
        const list = 'stat -c "%n %u %a" /out/* /var/cache/layertap/*';
        const owners = (await inVolumes(['sh', '-c', list])).split('\n');
        expect(owners).toContain('/out/of-1000 1000 755');
        expect(owners).toContain('/out/of-1234 1234 755');
        expect(owners).toContain('/var/cache/layertap/uid-1000 1000 700');
        expect(owners).toContain('/var/cache/layertap/uid-1234 1234 700');
      },
      RUN_MS,
    );

    test.each([
      ['a cache that is read-only and holds what is needed', ':ro', '1000', false],
      ['a cache that is read-only and holds nothing of this user', ':ro', '4321', true],
      ['no cache', undefined, '1000', true],
    ])(
      '%s changes nothing but the time',
      async (_, mode, user, isTemporary) => {
        const cache = mode === undefined ? [] : ['--volume', `${project.name}_cache:/var/cache/layertap${mode}`];
        const extracted = await extract(user, '/tmp/out', cache);
        expect(extracted).toMatchObject({ rows: 8 });
        const note = extracted.stderr.includes('Nothing can be kept in the cache /var/cache/layertap');
        expect(note).toBe(isTemporary);
      },
      RUN_MS,
    );

    test.each([
      ['a folder of photos that does not exist', { LAYERTAP_PHOTOS: 'nothing' }, /no image below \/photos/],
      [
        'a model by its path outside',
        { LAYERTAP_MODEL: '/home/me/mine.keras' },
        /\/home\/me\/mine\.keras .*no such file/,
      ],
    ])(
      '%s is refused, and the paths inside are explained',
      async (_, variables, message) => {
        // Docker makes the folder.
        const changes = Object.fromEntries(
          Object.entries(variables).map(([name, value]) => [name, value === 'nothing' ? join(folder, value) : value]),
        );
        const refused = await project.tryCompose(RUN_PRODUCER, RUN_MS, { ...changes, LAYERTAP_OUT: '/out/refused' });
        expect(refused.code).toBe(1);
        expect(refused.stderr).toMatch(message);
        expect(refused.stderr).toContain('Paths are those inside the containers: /photos is the folder');
      },
      RUN_MS,
    );

    test('an output folder that Docker made is refused, and the user is named', async () => {
      const made = { LAYERTAP_OUTPUT: join(folder, 'made-by-docker'), LAYERTAP_UID: '1234', LAYERTAP_GID: '1234' };
      const refused = await project.tryCompose(RUN_PRODUCER, RUN_MS, made);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/permission is denied[\s\S]*LAYERTAP_UID \(1000\) must be able to/);
    });

    test('commands run beside the services, and name each other as they are typed here', async () => {
      const command = (...args: readonly string[]) =>
        project.tryCompose([...RUN_PRODUCER, 'layertap', ...args], RUN_MS);
      const status = await command('status', '/out/run');
      expect(status.stdout).toMatch(/^done: 240 of 240 images/);
      expect(status.stdout).toContain('docker compose run --rm --no-deps producer layertap show ');
      const refused = await command('status', '/out/nope');
      expect(refused.stderr).toContain('`docker compose run --rm --no-deps producer layertap enqueue`');
      expect(refused.stderr).not.toContain('npx');
      // Through the queue of the services, since compose says where that is.
      expect(await command('resume', '/out/run')).toMatchObject({ code: 0 });
      // A command beside a run ends none of its workers.
      expect((await project.containers('worker')).filter(({ status }) => status === 'running')).toHaveLength(
        WORKERS - 1,
      );
    });

    test(
      'Redis and the workers are found healthy',
      async () => {
        for (const service of ['redis', 'worker'])
          await expect
            .poll(async () => (await project.containers(service)).map(({ health }) => health), {
              timeout: START_MS,
              interval: 1000,
            })
            .toContain('healthy');
      },
      START_MS,
    );

    test('Redis keeps its jobs: it evicts nothing and appends to a file', async () => {
      const [redis] = await project.containers('redis');
      const setting = (name: string): Promise<string> =>
        project.docker(['exec', redis?.id ?? '', 'redis-cli', 'config', 'get', name]);
      expect(await setting('maxmemory-policy')).toBe('maxmemory-policy\nnoeviction');
      expect(await setting('appendonly')).toBe('appendonly\nyes');
    });

    test('nothing of it is left', async () => {
      await project.close();
      const label = `label=com.docker.compose.project=${project.name}`;
      expect(await project.docker(['ps', '--all', '--quiet', '--filter', label])).toBe('');
      expect(await project.docker(['volume', 'ls', '--quiet', '--filter', `name=${project.name}`])).toBe('');
      expect(await project.docker(['network', 'ls', '--quiet', '--filter', label])).toBe('');
    }, 240_000);

    /** Eight of the demo's images, as that user; the line of the summary, and what was said. */
    async function extract(user: string, out: string, mounts: readonly string[]) {
      const { code, stdout, stderr } = await project.tryDocker([
        ...['run', '--rm', '--user', user, '--init', '--read-only', '--tmpfs', '/tmp', '--network', 'none'],
        ...['--volume', `${project.name}_demo-images:/photos:ro`, ...mounts, `${project.name}:${TARGET}`],
        ...['sh', '-c', `${EXTRACT} --out ${out} && cat ${out}/run.json`],
      ]);
      expect(code, stderr).toBe(0);
      const [summary = '', ...run] = stdout.trim().split('\n');
      const { request } = JSON.parse(run.join('\n')) as { readonly request: unknown };
      expect(request, stderr).toMatchObject({ engine: 'onnx', lowering: LOWERING });
      return { ...(JSON.parse(summary) as Readonly<Record<string, unknown>>), stderr };
    }

    function inVolumes(command: readonly string[]): Promise<string> {
      const volumes = [`${project.name}_output:/out`, `${project.name}_cache:/var/cache/layertap`];
      const mounts = volumes.flatMap(volume => ['--volume', `${volume}:ro`]);
      return project.docker(['run', '--rm', '--user', '0', ...mounts, `${project.name}:${TARGET}`, ...command]);
    }

    async function receipts(): Promise<readonly ShardReceipt[]> {
      const run = await findRun(storage);
      const all: ShardReceipt[] = [];
      if (run !== undefined) for await (const receipt of readReceipts(storage, run)) all.push(receipt);
      return all;
    }

    /** The workers begin within a second or two of each other; one that runs ahead is paused until all have begun. */
    async function untilEachWorkerHasDone(shards: number): Promise<void> {
      const paused = new Set<string>();
      try {
        for (const end = Date.now() + RUN_MS; Date.now() < end; await sleep(100)) {
          const done = (await receipts()).map(receipt => receipt.worker.host);
          const count = (worker: Container): number => done.filter(host => host === worker.hostname).length;
          if (workers.every(worker => count(worker) >= shards)) return;
          const ahead = workers.filter(worker => count(worker) >= ROWS / SHARD_SIZE / 6 && !paused.has(worker.id));
          for (const { id } of ahead) {
            await project.docker(['pause', id]);
            paused.add(id);
          }
        }
        throw new Error(`Expected a receipt of each worker within ${RUN_MS / 1000} s`);
      } finally {
        for (const id of paused) await project.docker(['unpause', id]);
      }
    }

    async function untilProducerEnds(): Promise<Container> {
      for (const end = Date.now() + RUN_MS - 10_000; Date.now() < end; await sleep(500)) {
        const [producer] = await project.containers('producer');
        if (producer?.status === 'exited') return producer;
      }
      throw new Error(await project.compose(['logs', '--no-color', '--tail', '20'], 30_000));
    }

    async function runningWorker(): Promise<string> {
      const running = (await project.containers('worker')).find(({ status }) => status === 'running');
      if (running === undefined) throw new Error('Expected a running worker');
      return running.id;
    }
  },
);
