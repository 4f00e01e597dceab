// Advice as it can be followed where it is read, by a user of npm and by one of containers.
import { describe, expect, it } from 'vitest';
import { fitAdvice, pathAdvice } from '../../shared/src/advice.ts';
import { placeOfProcess } from '../../shared/src/config.ts';
import { Refusal } from '../../shared/src/errors.ts';

const MACHINE = placeOfProcess({});
const CONTAINER = placeOfProcess({
  LAYERTAP_COMMAND: 'docker compose run --rm producer layertap',
  LAYERTAP_SETUP_COMMAND: 'docker compose build',
  LAYERTAP_REDIS: 'redis://redis:6379',
  LAYERTAP_MOUNTS: '/photos is a folder of yours.',
});

describe('fitAdvice', () => {
  it('leaves a text alone where nothing is said', () => {
    const text = 'Go on with: npx layertap resume /out --redis URL, or run `npx layertap setup`.';
    expect(fitAdvice(text, MACHINE)).toBe(text);
  });

  it.each([
    ['See `npx layertap extract --help`.', 'See `docker compose run --rm producer layertap extract --help`.'],
    ['Run `npx layertap setup` to prepare it.', 'Run `docker compose build` to prepare it.'],
    [
      'Go on with: npx layertap resume /out/a --redis URL',
      'Go on with: docker compose run --rm producer layertap resume /out/a',
    ],
    [
      'go on with: npx layertap resume /out/a --redis redis://redis:6379',
      'go on with: docker compose run --rm producer layertap resume /out/a',
    ],
    [
      'First: npx layertap resume /out/a --verify',
      'First: docker compose run --rm producer layertap resume /out/a --verify',
    ],
  ])('names the commands of a container: %s', (text, fitted) => {
    expect(fitAdvice(text, CONTAINER)).toBe(fitted);
  });

  it('keeps the server that a command needs where none is set', () => {
    const place = placeOfProcess({ LAYERTAP_COMMAND: 'layertap' });
    expect(fitAdvice('npx layertap resume /out --redis URL', place)).toBe('layertap resume /out --redis URL');
  });
});

describe('pathAdvice', () => {
  const missing = Object.assign(new Error('no such file'), { code: 'ENOENT' });

  it.each([
    ['a source that is empty', new Refusal('source-unreadable', 'x', { emptyPath: '/photos' })],
    ['a model that is not there', new Refusal('model-unreadable', 'x', { cause: missing })],
    ['a folder without a run', new Refusal('run-missing', 'x')],
    [
      'an output folder of another user',
      new Refusal('output-unwritable', 'x', { cause: Object.assign(new Error(), { code: 'EACCES' }) }),
    ],
  ])('tells of mounts for %s', (_, error) => {
    expect(pathAdvice(error, CONTAINER)).toBe('/photos is a folder of yours.');
    expect(pathAdvice(error, MACHINE)).toBeUndefined();
  });

  it.each([
    ['a damaged model', new Refusal('model-unreadable', 'x')],
    ['a full disk', new Refusal('output-unwritable', 'x', { cause: Object.assign(new Error(), { code: 'ENOSPC' }) })],
    ['a wrong option', new Refusal('bad-option', 'x', { cause: missing })],
  ])('says nothing of %s', (_, error) => {
    expect(pathAdvice(error, CONTAINER)).toBeUndefined();
  });
});
