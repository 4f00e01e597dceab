// The pool under faults: what one bad thread costs, and what it leaves alone.
import { afterEach, describe, expect, it } from 'vitest';
import { openThreadPool, type ThreadPool } from '../../../services/worker/src/thread-pool.ts';

const script = new URL('./faulty-thread.mjs', import.meta.url);
const opened: ThreadPool<unknown, unknown>[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map(pool => pool.close()));
});

describe('openThreadPool', () => {
  it('answers every task once, each with its own result', async () => {
    const pool = await openPool(2);
    const tasks = Array.from({ length: 50 }, (_, i) => ({ echo: i }));
    expect(await Promise.all(tasks.map(task => pool.run(task)))).toEqual(tasks.map(({ echo }) => echo));
  });

  it('works off what was posted while the posting thread is blocked', async () => {
    const pool = await openPool(2);
    const counter = new Int32Array(new SharedArrayBuffer(4));
    const results = Array.from({ length: 20 }, (_, i) => pool.run({ counter, echo: i }));
    for (let done = 0; done < 20; done = Atomics.load(counter, 0)) {
      // This blocks the event loop, as an inference does, and gives up only if nothing at all happens.
      if (Atomics.wait(counter, 0, done, 20_000) === 'timed-out') break;
    }
    expect(Atomics.load(counter, 0)).toBe(20);
    await Promise.all(results);
  });

  it('rejects a task that throws and keeps its thread', async () => {
    const pool = await openPool(1);
    await expect(pool.run('throw')).rejects.toThrow('the task threw');
    expect(await pool.run({ echo: 'alive' })).toBe('alive');
  });

  for (const fault of ['exit', 'uncaught']) {
    it(`fails only the tasks of a thread that dies by ${fault}, and replaces it`, async () => {
      const pool = await openPool(2);
      const [dying, other] = [pool.run(fault), pool.run({ echo: 'other thread' })];
      await expect(dying).rejects.toMatchObject({
        name: 'ThreadDeath',
        message: expect.stringContaining('before its tasks'),
      });
      expect(await other).toBe('other thread');
      const after = Array.from({ length: 8 }, (_, i) => pool.run({ echo: i }));
      expect(await Promise.all(after)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    });
  }

  it('gives every thread settings of its own, and tells with them of each that has ended', async () => {
    let made = 0;
    const ended: number[] = [];
    const pool = await openThreadPool<unknown, unknown, number>({
      script,
      threads: 2,
      settings: () => made++,
      onEnd: settings => ended.push(settings),
    });
    opened.push(pool);
    await expect(pool.run('exit')).rejects.toThrow('before its tasks');
    expect([made, ended]).toEqual([2, [0]]);
    await pool.run({ echo: 'replaced' });
    await pool.close();
    expect([made, ended.sort()]).toEqual([3, [0, 1, 2]]);
  });

  it('names the error that killed the thread as the cause', async () => {
    const pool = await openPool(1);
    const error = await pool.run('uncaught').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ cause: { message: 'thrown outside of the task' } });
  });

  it('fails to open when a thread cannot start', async () => {
    await expect(openThreadPool({ script, threads: 2, settings: () => 'no-start' })).rejects.toThrow('at its start');
  });

  it('rejects what it still holds when it is closed, and every task after that', async () => {
    const pool = await openPool(1);
    const posted = Array.from({ length: 5 }, () => pool.run('throw').catch((error: Error) => error.message));
    await pool.close();
    expect(new Set(await Promise.all(posted))).toEqual(new Set(['The thread pool was closed']));
    await expect(pool.run({ echo: 1 })).rejects.toThrow('is closed');
    await pool.close();
  });
});

async function openPool(threads: number): Promise<ThreadPool<unknown, unknown>> {
  const pool = await openThreadPool<unknown, unknown>({ script, threads });
  opened.push(pool);
  return pool;
}
