// Amounts of bytes as a user types them.
import { expect, it } from 'vitest';
import { formatBytes, parseBytes } from '../../shared/src/byte-size.ts';

it.each([
  ['10GB', 10e9],
  ['500MB', 500e6],
  ['1.5 tb', 1.5e12],
  ['2GiB', 2 ** 31],
  ['64k', 64_000],
  ['1000', 1000],
  ['1000 B', 1000],
  ['0', 0],
])('%s are %d bytes', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

it.each(['', 'GB', '-1', '1e9', '10 XB', 'none', '1,5GB'])('%j is no amount', text => {
  expect(parseBytes(text)).toBeUndefined();
});

it('reads what it writes', () => {
  for (const bytes of [0, 999, 1000, 1_500_000, 2.5e12])
    expect(parseBytes(formatBytes(bytes).replace('bytes', 'B'))).toBe(bytes);
});
