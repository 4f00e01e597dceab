// Errors that speak to the user: nearest names, exit codes, causes.
import { describe, expect, it } from 'vitest';
import { describeError, hasErrorCode, nearestNames, Refusal } from '../../shared/src/errors.ts';

describe('nearestNames', () => {
  const layers = ['conv1', 'conv2', 'block_1_expand', 'block_16_project', 'global_average_pooling2d', 'predictions'];

  it('puts a name with one wrong letter first', () => {
    expect(nearestNames('predictoins', layers)[0]).toBe('predictions');
    expect(nearestNames('conv3', layers).slice(0, 2)).toEqual(['conv1', 'conv2']);
  });

  it('takes a name that holds the wanted one for near, the shortest first', () => {
    expect(nearestNames('pooling', layers)[0]).toBe('global_average_pooling2d');
    expect(nearestNames('block', layers).slice(0, 2)).toEqual(['block_1_expand', 'block_16_project']);
  });

  it('looks past upper and lower case', () => {
    expect(nearestNames('CONV1', layers)[0]).toBe('conv1');
  });

  it('gives no more names than asked for, and none of none', () => {
    expect(nearestNames('conv', layers, 2)).toHaveLength(2);
    expect(nearestNames('conv', [])).toEqual([]);
  });

  it('takes an empty name without failing', () => {
    expect(nearestNames('', ['long name', 'ab'], 1)).toEqual(['ab']);
  });
});

describe('a refusal', () => {
  it('ends the command with 2 for wrong usage and 1 for everything else', () => {
    expect(new Refusal('bad-option', 'no').exitCode).toBe(2);
    expect(new Refusal('unknown-layer', 'no').exitCode).toBe(1);
  });

  it('keeps its hint and its cause', () => {
    const cause = new Error('deep');
    const refusal = new Refusal('output-unwritable', 'no', { hint: 'do this', cause });
    expect(refusal).toMatchObject({ name: 'Refusal', hint: 'do this', cause });
    expect('cause' in new Refusal('bad-option', 'no')).toBe(false);
  });
});

describe('describeError', () => {
  it('is one line with the messages of all causes', () => {
    const error = new Error('outer', { cause: new Error('middle', { cause: 'inner' }) });
    expect(describeError(error)).toBe('outer: middle: inner');
  });

  it('takes whatever was thrown', () => {
    expect(describeError(undefined)).toBe('undefined');
    expect(describeError('text')).toBe('text');
  });
});

describe('hasErrorCode', () => {
  it('knows a system error by its code', () => {
    const error = Object.assign(new Error('gone'), { code: 'ENOENT' });
    expect(hasErrorCode(error, 'ENOENT')).toBe(true);
    expect(hasErrorCode(error, 'EACCES')).toBe(false);
    expect(hasErrorCode({ code: 'ENOENT' }, 'ENOENT')).toBe(false);
  });
});
