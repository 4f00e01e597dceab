// What becomes of transparency, by the recipe's policy, with Pillow's arithmetic: for read-pixels.ts and prepare-image.ts.
import type { Recipe } from '../../../shared/src/recipe.ts';
import type { DecodedPixels, Pixels } from './pixels.ts';

/**
 * `drop` takes the colour of a pixel however transparent it is, as convert('RGB') does; `white` and `black` give the
 * bytes of pasting the image over that colour with its alpha as the mask.
 */
export function applyAlpha(pixels: DecodedPixels, policy: Recipe['alpha']): Pixels {
  const { data, width, height, channels } = pixels;
  if (channels === 1 || channels === 3) return { data, width, height, channels };
  const colours = channels === 2 ? 1 : 3;
  const ground = policy === 'white' ? 255 : 0;
  const out = new Uint8Array(width * height * colours);
  for (let from = 0, to = 0; to < out.length; from += channels, to += colours) {
    const alpha = policy === 'drop' ? 255 : (data[from + colours] as number);
    for (let c = 0; c < colours; c++) out[to + c] = blend(data[from + c] as number, ground, alpha);
  }
  return { data: out, width, height, channels: colours };
}

/** (top × alpha + ground × (255 − alpha)) ÷ 255, rounded, without a division. */
function blend(top: number, ground: number, alpha: number): number {
  const sum = top * alpha + ground * (255 - alpha) + 128;
  return ((sum >> 8) + sum) >> 8;
}
