// The two functions that tfjs-node takes from Node's `util`, on every Node.

import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { applyTfjsNodeShim } from '../../setup/src/tfjs-node-shim.ts';

test('util has isNullOrUndefined and isArray after the shim, and warns of nothing', () => {
  const warnings: string[] = [];
  const listen = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', listen);
  applyTfjsNodeShim();
  const util = createRequire(import.meta.url)('util') as Record<string, (value: unknown) => boolean>;
  expect([null, undefined, 0, ''].map(value => util.isNullOrUndefined?.(value))).toEqual([true, true, false, false]);
  expect([[], {}].map(value => util.isArray?.(value))).toEqual([true, false]);
  process.off('warning', listen);
  expect(warnings).toEqual([]);
});
