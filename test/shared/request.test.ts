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
    ['one pooling in a list', { pool: ['mean'] }],
    ['an unknown normalization', { normalize: 'l1' }],
    ['an unknown type of values', { dtype: 'int8' }],
    ['an unknown engine', { engine: 'torch' }],
    ['an unknown format', { format: 'csv' }],
    ['a batch of none', { batch: 0 }],
    ['a field that this version does not know', { quality: 'fast' }],
  ])('is refused with %s', (_, fields) => {
    expect(ExtractRequest.safeParse({ ...request, ...fields }).success).toBe(false);
  });

  it('reads records from before normalization, predictions and addresses were known', () => {
    for (const pool of ['none', 'mean', 'max'] as const)
      expect(ExtractRequest.parse({ ...request, pool }).pool).toBe(pool);
    expect(Object.keys(ExtractRequest.parse(request))).toEqual(Object.keys(request));
  });

  it('holds all that can be asked for', () => {
    const full = {
      ...request,
      pool: ['none', 'mean', 'gem:4.5', 'grid:2x2'],
      normalize: 'l2',
      dtype: 'float16',
      predictions: ['scores'],
      modelUrl: 'https://host/model.onnx#sha256=00',
    };
    expect(ExtractRequest.parse(JSON.parse(JSON.stringify(full)))).toEqual(full);
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
