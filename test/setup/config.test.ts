// The set-up's reading of the environment.

import { expect, test } from 'vitest';
import { childEnvironment, setupConfig } from '../../setup/src/config.ts';

test('the cache lies where LAYERTAP_CACHE says, else below XDG_CACHE_HOME, else in the home folder', () => {
  expect(setupConfig({ LAYERTAP_CACHE: '/a', XDG_CACHE_HOME: '/b' }).cacheRoot).toBe('/a');
  expect(setupConfig({ XDG_CACHE_HOME: '/b' }).cacheRoot).toBe('/b/layertap');
  expect(setupConfig({ LAYERTAP_CACHE: ' ' }).cacheRoot).toMatch(/\.cache\/layertap$/);
});

test('TensorFlow comes from wherever it can be had, and another word is refused with the valid ones', () => {
  expect(setupConfig({}).tensorFlow).toBe('auto');
  expect(setupConfig({ LAYERTAP_TENSORFLOW: 'off' }).tensorFlow).toBe('off');
  expect(() => setupConfig({ LAYERTAP_TENSORFLOW: 'yes' })).toThrow(
    'Expected one of auto, wheel, prebuilt, off for `LAYERTAP_TENSORFLOW` but received yes',
  );
});

test('CXX and LAYERTAP_PYTHON stand alone when they are set', () => {
  expect(setupConfig({ LAYERTAP_CACHE: '/c' }).compilers.slice(0, 3)).toEqual(['g++', 'c++', 'clang++']);
  expect(setupConfig({ CXX: 'clang++-19' }).compilers).toEqual(['clang++-19']);
  expect(setupConfig({ LAYERTAP_PYTHON: '/opt/python3' }).pythons).toEqual(['/opt/python3']);
});

test('a child gets this environment with changes, and without what is taken out', () => {
  const child = childEnvironment({ LAYERTAP_ADDED: 'x', HOME: undefined });
  expect(child.LAYERTAP_ADDED).toBe('x');
  expect(child.PATH).toBeTypeOf('string');
  expect('HOME' in child).toBe(false);
});
