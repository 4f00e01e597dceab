// The refusal of an unknown layer name. That every engine says it so is tested in engines/engine-conformance.ts.
import { describe, expect, it } from 'vitest';
import { unknownLayer } from '../../extractor/src/unknown-layer.ts';

describe('an unknown layer', () => {
  it('is refused with the nearest names and where all stand', () => {
    const refusal = unknownLayer('conv_2', new Map([['pool', 1] as const, ['conv2', 2] as const]).keys());
    expect(refusal).toMatchObject({
      code: 'unknown-layer',
      message: "Expected the name of a layer but received 'conv_2'",
      hint: "The nearest names are 'conv2', 'pool'; `npx layertap layers MODEL` lists all 2.",
    });
  });

  it('of a model without a file is refused without a command that would need one', () => {
    expect(unknownLayer('conv', ['conv2'], { isInMemory: true }).hint).toBe("The nearest names are 'conv2'.");
  });

  it('that is no name is refused with what would be valid', () => {
    const valid = 'Indices run from 0 to 1';
    expect(unknownLayer('9', ['a', 'b'], { valid }).hint).toBe(
      'Indices run from 0 to 1; `npx layertap layers MODEL` lists all 2.',
    );
  });
});
