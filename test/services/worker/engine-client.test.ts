// The parent's handle on an engine process, over a real process that speaks the protocol.

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type EngineClient,
  type EngineClientOptions,
  openEngineClient,
} from '../../../services/worker/src/engine-client.ts';
import { EngineDeath } from '../../../services/worker/src/engine-errors.ts';
import type { ShardProgress } from '../../../services/worker/src/worker-messages.ts';
import { JOB_VERSION, type ShardJob } from '../../../shared/src/job.ts';
import { createLogger } from '../../../shared/src/logger.ts';
import { builtProgram } from '../../support/built-program.ts';
import { defer } from '../../support/deferred.ts';
import type { DoubleReceipt } from '../../support/protocol-child.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const CHILD = await builtProgram('protocol-child.ts');

const never = new AbortController().signal;

function jobOf(shard: number, fingerprint = 'done'): ShardJob {
  return { version: JOB_VERSION, out: '/out', runId: 'run', fingerprint, shard };
}

describe('the engine client', () => {
  const clients: EngineClient[] = [];
  const lines: string[] = [];

  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.close({ force: true })));
    lines.splice(0);
  });

  function open(options: Partial<EngineClientOptions> = {}): EngineClient {
    const client = openEngineClient({
      script: CHILD,
      env: { PATH: process.env.PATH, DOUBLE: 'told' },
      logger: createLogger({ write: line => lines.push(line) }),
      ...options,
    });
    clients.push(client);
    return client;
  }

  async function work(client: EngineClient, job: ShardJob, attempt = 1): Promise<DoubleReceipt> {
    return (await client.process(job, { attempt, signal: never })) as DoubleReceipt;
  }

  it('hands a shard to a process of its own and returns the receipt', async () => {
    const client = open({ args: ['{"name":"w"}'] });
    const receipt = await work(client, jobOf(3), 2);
    expect(receipt).toMatchObject({ shard: 3, attempt: 2, args: ['{"name":"w"}'], env: 'told' });
    expect(receipt.pid).not.toBe(process.pid);
  });

  it('warms the process and keeps it over all shards', async () => {
    const client = open();
    expect(await client.warm(jobOf(0))).toEqual({ fingerprint: 'done', seconds: 0.5, loads: 1, residentBytes: 1e9 });
    const receipts = await Promise.all([0, 1, 2].map(shard => work(client, jobOf(shard))));
    expect(receipts.map(({ loads }) => loads)).toEqual([1, 1, 1]);
    expect(new Set(receipts.map(({ pid }) => pid)).size).toBe(1);
  });

  it('replaces a process that holds too much, with one shard in hand or several', async () => {
    const client = open({ maxResidentBytes: 1 });
    const alone = [await work(client, jobOf(0)), await work(client, jobOf(1)), await work(client, jobOf(2))];
    const together = await Promise.all([3, 4].map(shard => work(client, jobOf(shard))));
    const pids = [...alone, ...together].map(({ pid }) => pid);
    // The two were in hand of one process.
    expect(new Set(pids).size).toBe(4);
    expect(pids[3]).toBe(pids[4]);
    expect(lines.join('\n')).not.toMatch(/ended/);
  });

  it('says why warming failed', async () => {
    await expect(open().warm(jobOf(0, 'warm-failed'))).rejects.toThrow('no such model');
  });

  it('passes on the progress of each shard', async () => {
    const seen: ShardProgress[] = [];
    await open().process(jobOf(5), { attempt: 1, signal: never, onProgress: progress => seen.push(progress) });
    expect(seen).toEqual([expect.objectContaining({ shard: 5, rows: 2, failed: 1, seconds: { infer: 0.25 } })]);
  });

  it('passes on what the process logs', async () => {
    await work(open(), jobOf(0));
    expect(lines).toEqual([expect.stringContaining('took shard=0')]);
  });

  it.each(['retry', 'refused', 'declined'])('tells when a shard is answered with %s', async kind => {
    const working = work(open(), jobOf(0, kind));
    await expect(working).rejects.toMatchObject({ name: 'EngineFailure', kind, message: `${kind} for a reason` });
  });

  it('names the signal and the shards in hand when the process dies, and starts another', async () => {
    const client = open();
    const first = await work(client, jobOf(0));
    const outcomes = await Promise.allSettled([work(client, jobOf(4, 'segfault')), work(client, jobOf(3))]);
    const reason = new EngineDeath('ended by SIGSEGV', ' while working on shards 3, 4');
    expect(outcomes).toEqual([
      { status: 'rejected', reason },
      { status: 'rejected', reason },
    ]);
    expect(lines.at(-1)).toContain(reason.message);
    expect((await work(client, jobOf(3))).pid).not.toBe(first.pid);
  });

  it('tells the next process to halve the batch for each one that was killed from outside', async () => {
    const client = open({ args: ['{}'] });
    for (const args of [['{}'], ['{}', '1'], ['{}', '2']]) {
      const receipt = await work(client, jobOf(0));
      expect(receipt.args).toEqual(args);
      const kill = (): void => void process.kill(receipt.pid, 'SIGKILL');
      await expect(client.process(jobOf(1, 'spin'), { attempt: 1, signal: never, onProgress: kill })).rejects.toThrow(
        'ended by SIGKILL',
      );
      expect(lines.at(-1)).toContain('half as many images at a time');
    }
  });

  it('names the exit code', async () => {
    await expect(work(open(), jobOf(2, 'exit 7'))).rejects.toThrow(
      'engine process ended with exit code 7 while working on shard 2',
    );
  });

  it('takes an answer that was sent before the death', async () => {
    expect(await work(open(), jobOf(1, 'done-and-exit'))).toMatchObject({ shard: 1 });
  });

  it('rejects where the process cannot start', async () => {
    const client = open({ script: new URL('./missing.ts', import.meta.url) });
    await expect(client.warm(jobOf(0))).rejects.toThrow('engine process ended with exit code 1');
  });

  it('declines shards once its process has died five times in a row without one answer', async () => {
    const client = open({ restartDelayMs: 1 });
    for (let death = 0; death < 5; death++) {
      await expect(work(client, jobOf(death, 'exit 3'))).rejects.toThrow('exit code 3');
    }
    await expect(work(client, jobOf(5))).rejects.toMatchObject({
      kind: 'declined',
      message: expect.stringContaining('ended with exit code 3, 5 times in a row'),
    });
  });

  it('goes on starting its process where that has answered before', async () => {
    const client = open({ restartDelayMs: 1 });
    await work(client, jobOf(0));
    for (let death = 0; death < 5; death++) {
      await expect(work(client, jobOf(death, 'exit 3'))).rejects.toThrow('exit code 3');
    }
    expect(await work(client, jobOf(5))).toMatchObject({ shard: 5 });
  });

  it.each([{ force: true }, {}])('waits before it starts a process again that died twice in a row: %j', async close => {
    const client = open({ restartDelayMs: 1_000_000 });
    await expect(work(client, jobOf(0, 'exit 1'))).rejects.toThrow('exit code 1');
    await expect(work(client, jobOf(0, 'exit 1'))).rejects.toThrow('exit code 1');
    const waiting = work(client, jobOf(0));
    // A process that had been started would do the shard, or be killed.
    const refused = expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    await client.close(close);
    await refused;
  });

  it('does not wait where a shard was done between two deaths', async () => {
    const client = open({ restartDelayMs: 1_000_000 });
    await expect(work(client, jobOf(0, 'exit 1'))).rejects.toThrow('exit code 1');
    await work(client, jobOf(1));
    await expect(work(client, jobOf(0, 'exit 1'))).rejects.toThrow('exit code 1');
    expect(await work(client, jobOf(2))).toMatchObject({ shard: 2 });
  });

  it('stops an aborted shard and no other', async () => {
    const client = open();
    const stop = new AbortController();
    const begun = defer();
    const held = client.process(jobOf(0, 'hold'), {
      attempt: 1,
      signal: stop.signal,
      onProgress: () => begun.resolve(),
    });
    const next = work(client, jobOf(1));
    await begun.promise;
    stop.abort();
    await expect(held).rejects.toMatchObject({ kind: 'retry', message: 'aborted' });
    expect(await next).toMatchObject({ shard: 1 });
  });

  it('lets a shard taken twice end before it begins again', async () => {
    const client = open();
    const stop = new AbortController();
    const begun = defer();
    const first = client.process(jobOf(0, 'hold'), {
      attempt: 1,
      signal: stop.signal,
      onProgress: () => begun.resolve(),
    });
    await begun.promise;
    const second = work(client, jobOf(0), 2);
    stop.abort();
    await expect(first).rejects.toThrow('aborted');
    expect(await second).toMatchObject({ attempt: 2 });
  });

  it('closes when the shards in hand are done, and the process has gone', async () => {
    const client = open();
    await client.warm(jobOf(0));
    const working = Promise.all([work(client, jobOf(0)), work(client, jobOf(1))]);
    await client.close();
    const [{ pid }] = await working;
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    await expect(work(client, jobOf(2))).rejects.toThrow('the worker is closing');
  });

  it('kills the process when it is closed by force', async () => {
    const client = open();
    const begun = defer();
    const working = client.process(jobOf(0, 'spin'), { attempt: 1, signal: never, onProgress: () => begun.resolve() });
    await begun.promise;
    await Promise.all([
      client.close({ force: true }),
      expect(working).rejects.toThrow('engine process ended by SIGKILL while working on shard 0'),
    ]);
  });

  it('kills a process that makes no progress with its batch, and starts another', async () => {
    const client = open({ stallMs: 1 });
    await expect(work(client, jobOf(4, 'stall 32'))).rejects.toThrow(
      'engine process made no progress for 0 s (LAYERTAP_STALL_TIMEOUT) and was killed while working on shard 4',
    );
    expect(lines.at(-1)).not.toContain('half as many images');
    expect((await work(client, jobOf(5))).args).toEqual([]);
  });

  it('gives a batch of more than 32 images more time', async () => {
    const client = open({ stallMs: 1 });
    const end = join(await temporaryFolder(), 'end');
    const begun = defer();
    const working = client.process(jobOf(0, `begin-until 1e9:${end}`), {
      attempt: 1,
      signal: never,
      onProgress: () => begun.resolve(),
    });
    await begun.promise;
    // A process that stalls is started and killed before the shard may end.
    await expect(work(open({ stallMs: 1 }), jobOf(1, 'stall 32'))).rejects.toThrow('made no progress');
    await writeFile(end, '');
    expect(await working).toMatchObject({ shard: 0 });
  });

  it('is patient with a process that has not begun, or has answered', async () => {
    const client = open({ stallMs: 1 });
    const end = join(await temporaryFolder(), 'end');
    const working = work(client, jobOf(0, `until ${end}`));
    await expect(work(open({ stallMs: 1 }), jobOf(1, 'stall 32'))).rejects.toThrow('made no progress');
    await writeFile(end, '');
    expect(await working).toMatchObject({ shard: 0 });
  });

  it('asks for probes and quarantines, and tells the death of a probe', async () => {
    const client = open();
    await client.probe(jobOf(0), [1, 2], { attempt: 2, signal: never });
    await client.quarantine(jobOf(0), { row: 1, death: 'ended by SIGSEGV' });
    await client.close();
    await expect(client.probe(jobOf(0), [1], { attempt: 2, signal: never })).rejects.toThrow('the worker is closing');
    await expect(client.quarantine(jobOf(0), { row: 1, death: '' })).rejects.toThrow('the worker is closing');
  });

  it('takes a process along that is deep in native code when the parent exits', async () => {
    const parent = fileURLToPath(new URL('../../support/parent-of-spinning-child.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', parent]);
    const pid = Number(stdout.trim());
    expect(pid).toBeGreaterThan(0);
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), { timeout: 120_000 });
  });
});
