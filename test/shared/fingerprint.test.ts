// The fingerprint: what changes it, and what must not.
import { describe, expect, it } from 'vitest';
import { canonicalJson, fingerprintOf } from '../../shared/src/fingerprint.ts';
import type { ExtractRequest } from '../../shared/src/request.ts';
import { RECIPE, requestOf, TWO_COLUMNS } from '../support/small-run.ts';

const request = requestOf(TWO_COLUMNS);

describe('the fingerprint', () => {
  it.each<[string, Partial<ExtractRequest>]>([
    ['bytes of the model', { modelSha256: 'cd'.repeat(32) }],
    ['layers', { layers: ['avg_pool'] }],
    ['order of the layers', { layers: [...request.layers].reverse() }],
    ['pooling', { pool: 'mean' }],
    ['poolings', { pool: ['none', 'mean'] }],
    ['normalization', { normalize: 'l2' }],
    ['type of the values', { dtype: 'float16' }],
    ['role of a layer', { predictions: ['avg_pool'] }],
    ['engine', { engine: 'tensorflow' }],
    ['size', { recipe: { ...RECIPE, width: 9 } }],
    ['kernel', { recipe: { ...RECIPE, resize: 'pillow:bicubic' } }],
    ['channel order', { recipe: { ...RECIPE, channels: 'bgr' } }],
    ['scale', { recipe: { ...RECIPE, scale: 1 } }],
    ['mean', { recipe: { ...RECIPE, mean: [0, 0, 1] } }],
    ['standard deviation', { recipe: { ...RECIPE, std: [2] } }],
    ['EXIF policy', { recipe: { ...RECIPE, exif: 'apply' } }],
  ])('changes with the %s', (_, fields) => {
    expect(fingerprintOf({ ...request, ...fields })).not.toBe(fingerprintOf(request));
  });

  it.each<[string, Partial<ExtractRequest>]>([
    ['place of the model file', { model: '/elsewhere/model.json' }],
    ['address of the model', { modelUrl: 'https://host/model.onnx#sha256=00' }],
    ['format of the parts', { format: 'both' }],
    ['size of the batch', { batch: 64 }],
    ['origin of the recipe', { recipeOrigin: 'sidecar' }],
  ])('stays with another %s', (_, fields) => {
    expect(fingerprintOf({ ...request, ...fields })).toBe(fingerprintOf(request));
  });

  it('stays whatever the order of the fields', () => {
    const recipe = Object.fromEntries(Object.entries(RECIPE).reverse()) as ExtractRequest['recipe'];
    expect(fingerprintOf({ ...request, recipe })).toBe(fingerprintOf(request));
  });

  it('stays over a round trip through run.json', () => {
    expect(fingerprintOf(JSON.parse(JSON.stringify(request)) as ExtractRequest)).toBe(fingerprintOf(request));
  });

  it('is the same as it ever was: old runs are resumed by it', () => {
    expect(fingerprintOf(request)).toMatch(/^[0-9a-f]{64}$/);
    expect(fingerprintOf(request)).toBe('9a50bbb017c2e2f05323ac31d46c50c6259439c92c5ca72d8ff86af6ac5874b1');
  });
});

describe('canonicalJson', () => {
  it('sorts keys at every depth and leaves lists in order', () => {
    expect(canonicalJson({ b: [{ d: 1, c: 2 }, 'x'], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1},"x"]}');
  });

  it('leaves out what is undefined, as JSON does', () => {
    expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}');
    expect(canonicalJson([undefined])).toBe('[null]');
  });
});
