// How a worker shares out a machine: made-up machines, as this one is what it is.
import { describe, expect, it } from 'vitest';
import { describeSplit, splitProcessors } from '../../../services/worker/src/split-processors.ts';

const AUTO = { processes: 'auto', threads: 'auto', decodeThreads: 'auto' } as const;
const GB = 1e9;

describe('splitProcessors', () => {
  it('takes a process for each processor, with one thread each', () => {
    expect(split({}, undefined, 8, 64)).toEqual({ processes: 8, threads: 1, decodeThreads: 1, takeTurns: true });
  });

  it('has decoding and inference take turns where each process has one processor, and no thread to spare', () => {
    expect(split({}, undefined, 8, 64).takeTurns).toBe(true);
    expect(split({}, undefined, 1, 64).takeTurns).toBe(true);
    expect(split({ processes: 7 }, undefined, 8, 64).takeTurns).toBe(true);
    // Another processor is free for the decoding.
    expect(split({ processes: 1, threads: 1, decodeThreads: 1 }, undefined, 2, 64).takeTurns).toBe(false);
    expect(split({}, 4, 8, 64).takeTurns).toBe(false);
    // Several decoding threads wait for disks together.
    expect(split({ decodeThreads: 3 }, undefined, 2, 64).takeTurns).toBe(false);
  });

  it('shares the processors out among fewer processes where memory or shards are few', () => {
    expect(split({}, undefined, 8, 4.5)).toEqual({ processes: 2, threads: 4, decodeThreads: 4, takeTurns: false });
    expect(split({}, 3, 8, 64)).toEqual({ processes: 3, threads: 2, decodeThreads: 2, takeTurns: false });
    expect(split({}, 1, 2, 1)).toEqual({ processes: 1, threads: 2, decodeThreads: 2, takeTurns: false });
  });

  it('keeps what is fixed, and finds the rest', () => {
    expect(split({ processes: 2 }, undefined, 8, 64)).toEqual({
      processes: 2,
      threads: 4,
      decodeThreads: 4,
      takeTurns: false,
    });
    expect(split({ threads: 4 }, undefined, 8, 64)).toEqual({
      processes: 2,
      threads: 4,
      decodeThreads: 4,
      takeTurns: false,
    });
    expect(split({ threads: 16 }, undefined, 8, 64)).toEqual({
      processes: 1,
      threads: 16,
      decodeThreads: 8,
      takeTurns: false,
    });
    expect(split({ decodeThreads: 3 }, undefined, 2, 64)).toEqual({
      processes: 2,
      threads: 1,
      decodeThreads: 3,
      takeTurns: false,
    });
    expect(split({ processes: 5, threads: 2, decodeThreads: 1 }, undefined, 2, 1)).toEqual({
      processes: 5,
      threads: 2,
      decodeThreads: 1,
      takeTurns: false,
    });
  });

  it('never starts more processes than there are shards', () => {
    expect(split({ processes: 8 }, 3, 2, 64).processes).toBe(3);
  });

  it('finds at least one of each on this very machine', () => {
    const { processes, threads, decodeThreads } = splitProcessors(AUTO);
    expect(Math.min(processes, threads, decodeThreads)).toBeGreaterThanOrEqual(1);
  });
});

describe('describeSplit', () => {
  it('says it in words', () => {
    expect(describeSplit({ processes: 1, threads: 2, decodeThreads: 1 })).toBe(
      '1 engine process with 2 engine threads and 1 decoding thread',
    );
    expect(describeSplit({ processes: 4, threads: 1, decodeThreads: 2 })).toBe(
      '4 engine processes with 1 engine thread and 2 decoding threads each',
    );
  });
});

function split(
  wanted: Partial<Parameters<typeof splitProcessors>[0]>,
  most: number | undefined,
  processors: number,
  gigabytes: number,
): ReturnType<typeof splitProcessors> {
  return splitProcessors({ ...AUTO, ...wanted }, most, { processors, memory: gigabytes * GB });
}
