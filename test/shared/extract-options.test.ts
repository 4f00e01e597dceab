// The options of an extraction as a user types them.
import { describe, expect, it } from 'vitest';
import type { Refusal } from '../../shared/src/errors.ts';
import { extractOptions, outputOptions, queueOptions, workerOptions } from '../../shared/src/extract-options.ts';
import { describeOptions, parseOptions } from '../../shared/src/options.ts';
import { refusalOf } from '../support/refusal.ts';

const shape = { ...extractOptions, ...queueOptions, ...workerOptions, ...outputOptions };

function parse(...argv: readonly string[]) {
  const needed = ['--model', 'm', '--layer', 'a', '--out', 'o'];
  return parseOptions(shape, { argv: [...needed, ...argv], env: {}, command: 'layertap extract' }).values;
}

function message(...argv: readonly string[]): Promise<string> {
  return refusalOf(() => parse(...argv), 'bad-option').then(refusal => refusal.message);
}

describe('the options of an extraction', () => {
  it('have the defaults of the documentation', () => {
    expect(parse()).toEqual({
      model: ['m'],
      layer: ['a'],
      out: 'o',
      format: 'parquet',
      pool: 'none',
      normalize: 'none',
      dtype: 'float32',
      withPredictions: false,
      deterministic: false,
      batch: 32,
      duplicates: 'refuse',
      tensors: 'typed',
      followLinks: false,
      noCarry: false,
      engine: 'auto',
      redis: 'redis://127.0.0.1:6379',
      redisPrefix: 'bull',
      redisAllowEviction: false,
      queue: 'layertap',
      processes: 'auto',
      threads: 'auto',
      decodeThreads: 'auto',
      maxMemory: 'auto',
      stallTimeout: 600,
      json: false,
      help: false,
    });
  });

  it('read a recipe from flags, one number or one per channel', () => {
    const flags = ['--size', '320x224', '--scale', '-1e-3', '--mean', '-1,.5,2', '--std', '0.5'];
    expect(parse(...flags)).toMatchObject({
      size: { width: 320, height: 224 },
      scale: -0.001,
      mean: [-1, 0.5, 2],
      std: [0.5],
    });
  });

  it('read fractions, since 0.0039 is not 1/255', () => {
    expect(parse('--scale', '1/255', '--mean', '1/2,-1/4,0')).toMatchObject({ scale: 1 / 255, mean: [0.5, -0.25, 0] });
  });

  it('refuse what is no number, since a wrong value would be a wrong feature', async () => {
    for (const value of ['', ' ', '1/0', '1/', '/2', '1/2/3', 'NaN', 'Infinity', '1,2']) {
      expect(await message(`--scale=${value}`)).toContain('Expected a number or a fraction such as 1/255 for --scale');
    }
    for (const value of ['', '1,', '1..2', 'e', '1-2', 'a,b']) {
      expect(await message(`--mean=${value}`)).toContain('Expected a number, or one per channel');
    }
  });

  it('say what a size and a queue name look like', async () => {
    expect(await message('--size', '224')).toBe("Expected WIDTHxHEIGHT such as 224x224 for --size but received '224'");
    expect(await message('--queue', 'a:b')).toContain('letters, digits, dots, dashes and underscores');
  });

  it('take a pooling more than once, and call each by one name', () => {
    expect(parse('--pool', 'mean+max').pool).toBe('mean+max');
    expect(parse('--pool', 'mean', '--pool', 'grid:2x3', '--pool', 'mean').pool).toEqual(['mean', 'grid:2x3']);
    expect(parse('--pool', 'gem:3.0').pool).toBe('gem');
    expect(parse('--pool', 'gem:2.50').pool).toBe('gem:2.5');
  });

  it('say which poolings there are', async () => {
    for (const name of ['median', 'grid:2', 'grid:0x2', 'gem:0', 'gem:', 'mean+', '']) {
      expect(await message('--pool', name)).toContain(
        'Expected one of none, mean, max, mean+max, gem, gem:P, grid:RxC',
      );
    }
  });

  it('name the pooling that was meant, and the one value that is wrong', async () => {
    const refused = (name: string): Promise<Refusal> =>
      refusalOf(() => parse('--pool', 'max', '--pool', name), 'bad-option');
    const { message, hint } = await refused('avg');
    expect(message).toMatch(/^Expected one of none, mean, .* for --pool but received 'avg'$/);
    expect(hint).toMatch(/^Did you mean mean\? See /);
    expect((await refused('maen')).hint).toMatch(/^Did you mean mean\? /);
    expect((await refused('grid:3')).hint).toMatch(/^Did you mean grid:2x2\? /);
    expect((await refusalOf(() => parse('--pool', 'AVG'), 'bad-option')).message).toMatch(/received 'AVG'$/);
  });

  it('count from 1', async () => {
    for (const flag of ['--batch', '--shard-size', '--limit']) {
      expect(await message(flag, '0')).toContain(`>=1 for ${flag}`);
    }
    for (const flag of ['--processes', '--threads', '--decode-threads']) {
      for (const value of ['0', '1.5', 'many', '']) {
        expect(await message(flag, value)).toContain(`Expected a whole number of at least 1, or auto for ${flag}`);
      }
    }
    expect(parse('--processes', '3', '--threads', 'auto')).toMatchObject({ processes: 3, threads: 'auto' });
  });

  it('are all described, each with a variable of its own', () => {
    const docs = describeOptions(shape);
    expect(docs.filter(({ description }) => description === '')).toEqual([]);
    expect(new Set(docs.map(({ env }) => env)).size).toBe(docs.length);
    expect(docs.find(({ name }) => name === 'redis')?.env).toBe('REDIS_URL');
  });
});
