// Three workers in containers on one run, as docker-compose.yml starts them; one of them is stopped midway.

import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
const ENGINE = TARGET === 'tensorflow' ? 'tensorflow' : 'wasm';
/** A cold build downloads every package, and TensorFlow where it is asked for. */
const BUILD_MS = 20 * 60_000;
const START_MS = 4 * 60_000;
const RUN_MS = 4 * 60_000;

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

    test('the producer starts when Redis and all workers are healthy', async () => {
      const health = [...workers, ...(await project.containers('redis'))].map(container => container.health);
      expect(health).toEqual(Array.from({ length: WORKERS + 1 }, () => 'healthy'));
      const [producer] = await project.containers('producer');
      expect(producer?.status).toMatch(/^(running|exited)$/);
    });

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
        expect(run.request.engine).toBe(ENGINE);
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

    test('Redis keeps its jobs: it evicts nothing and appends to a file', async () => {
      const [redis] = await project.containers('redis');
      const setting = (name: string): Promise<string> =>
        project.docker(['exec', redis?.id ?? '', 'redis-cli', 'config', 'get', name]);
      expect(await setting('maxmemory-policy')).toBe('maxmemory-policy\nnoeviction');
      expect(await setting('appendonly')).toBe('appendonly\nyes');
    });

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
