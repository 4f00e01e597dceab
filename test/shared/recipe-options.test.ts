// The recipe's flags as a user types them.
import { describe, expect, it } from 'vitest';
import { describeOptions, parseOptions } from '../../shared/src/options.ts';
import { type RecipeOptions, recipeOptions } from '../../shared/src/recipe-options.ts';
import { refusalOf } from '../support/refusal.ts';

function parse(...argv: readonly string[]): RecipeOptions {
  return parseOptions(recipeOptions, { argv, env: {}, command: 'layertap extract' }).values;
}

describe('the options of a recipe', () => {
  it('leave everything open where nothing is given', () => {
    expect(parse()).toEqual({});
  });

  it.each([
    ['none', { kind: 'none' }],
    ['aspect', { kind: 'aspect' }],
    ['center', { kind: 'center' }],
    ['center:256', { kind: 'center', shorterSide: 256 }],
  ])('read --crop %s', (text, crop) => {
    expect(parse('--crop', text)).toEqual({ crop });
  });

  it.each(['middle', 'center:', 'center:0', 'center:-1', 'center:2.5', 'aspect:256', 'center:999999', ''])(
    'refuse --crop=%s',
    async text => {
      const { message } = await refusalOf(() => parse(`--crop=${text}`), 'bad-option');
      expect(message).toBe(
        `Expected none, aspect, center, or center:N such as center:256 for --crop but received '${text}'`,
      );
    },
  );

  it('read a kernel with its library, or without it as one of Pillow', async () => {
    expect(parse('--resize', 'bilinear')).toEqual({ resize: 'pillow:bilinear' });
    expect(parse('--resize', 'tf:bilinear')).toEqual({ resize: 'tf:bilinear' });
    const { message } = await refusalOf(() => parse('--resize', 'area'), 'bad-option');
    expect(message).toMatch(/^Expected one of pillow:nearest, .*tf:area.* for --resize but received 'area'$/);
  });

  it('read policies for transparency and quality', () => {
    expect(parse('--alpha', 'white', '--quality', 'fast')).toEqual({ alpha: 'white', quality: 'fast' });
  });

  it('are the same in the environment', () => {
    const env = { LAYERTAP_CROP: 'center:256', LAYERTAP_MEAN: '0.5,0.5,0.5', LAYERTAP_RECIPE: 'clip' };
    const { values } = parseOptions(recipeOptions, { argv: [], env, command: 'layertap extract' });
    expect(values).toEqual({ crop: { kind: 'center', shorterSide: 256 }, mean: [0.5, 0.5, 0.5], recipe: 'clip' });
  });

  it('are as many as the recipe has fields, each described', () => {
    const docs = describeOptions(recipeOptions);
    expect(docs.map(({ flag }) => flag).join(' ')).toBe(
      '--recipe --size --resize --crop --channels --scale --mean --std --exif --alpha --quality',
    );
    expect(docs.filter(({ description }) => description === '')).toEqual([]);
  });
});
