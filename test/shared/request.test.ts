// The request schema: strict, since run.json is read by other versions and other machines.
import { describe, expect, it } from 'vitest';
import { ExtractRequest, formatsOf } from '../../shared/src/request.ts';
import { requestOf, TWO_COLUMNS } from '../support/small-run.ts';

describe('a request', () => {
  const request = requestOf(TWO_COLUMNS);

  it('reads its own output back', () => {
    expect(ExtractRequest.parse(JSON.parse(JSON.stringify(request)))).toEqual(request);
  });

  it.each([
    ['no layer', { layers: [] }],
    ['an unknown pooling', { pool: 'sum' }],
    ['an unknown engine', { engine: 'torch' }],
    ['an unknown format', { format: 'csv' }],
    ['a batch of none', { batch: 0 }],
    ['a field that this version does not know', { quality: 'fast' }],
  ])('is refused with %s', (_, fields) => {
    expect(ExtractRequest.safeParse({ ...request, ...fields }).success).toBe(false);
  });

  it('is refused without a recipe', () => {
    expect(ExtractRequest.safeParse({ ...request, recipe: undefined }).success).toBe(false);
  });
});

describe('formatsOf', () => {
  it('is one part for each format, two for both', () => {
    expect([formatsOf('parquet'), formatsOf('arrow'), formatsOf('both')]).toEqual([
      ['parquet'],
      ['arrow'],
      ['parquet', 'arrow'],
    ]);
  });
});
