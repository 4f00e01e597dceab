// Turns float pixels, which no table of 256 values can serve, into the model's float input: for to-tensor.ts.
import type { Recipe } from '../../../shared/src/recipe.ts';
import type { FloatPixels } from './pixels.ts';

/** (pixel × scale − mean) ÷ std in float64, rounded once to float32; one channel is repeated for a colour model. */
export function floatToTensor({ data, channels }: FloatPixels, recipe: Recipe, values: Float32Array): void {
  const { scale, mean, std } = recipe;
  const wanted = recipe.channels === 'gray' ? 1 : 3;
  for (let channel = 0; channel < wanted; channel++) {
    const less = mean[channel] ?? mean[0] ?? 0;
    const divisor = std[channel] ?? std[0] ?? 1;
    let from = channels === 1 ? 0 : recipe.channels === 'bgr' ? 2 - channel : channel;
    for (let to = channel; to < values.length; to += wanted, from += channels) {
      values[to] = ((data[from] as number) * scale - less) / divisor;
    }
  }
}
