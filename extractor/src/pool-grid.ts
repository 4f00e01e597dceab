// Adaptive average pooling to a grid of cells, as torch.nn.AdaptiveAvgPool2d cuts them. For pool.ts.

export interface Grid {
  readonly rows: number;
  readonly columns: number;
}

/**
 * Cell i of n over `size` positions goes from floor(i · size / n) to ceil((i + 1) · size / n): neighbours overlap where
 * size is no multiple of n, and a grid finer than the feature repeats positions.
 * @param values one sample, [height, width, channels] @param pooled [rows, columns, channels], written
 */
export function poolGrid(values: Float32Array, shape: readonly number[], pooled: Float32Array, grid: Grid): void {
  const [height = 0, width = 0, channels = 0] = shape;
  const sums = new Float64Array(channels);
  let to = 0;
  for (let row = 0; row < grid.rows; row++) {
    const [top, bottom] = cellOf(row, grid.rows, height);
    for (let column = 0; column < grid.columns; column++) {
      const [left, right] = cellOf(column, grid.columns, width);
      sums.fill(0);
      for (let y = top; y < bottom; y++) {
        let at = (y * width + left) * channels;
        for (let x = left; x < right; x++) {
          for (let channel = 0; channel < channels; channel++, at++) {
            sums[channel] = (sums[channel] as number) + (values[at] as number);
          }
        }
      }
      const positions = (bottom - top) * (right - left);
      for (let channel = 0; channel < channels; channel++) pooled[to++] = (sums[channel] as number) / positions;
    }
  }
}

/** First position and the one behind the last. */
function cellOf(index: number, count: number, size: number): readonly [from: number, to: number] {
  return [Math.floor((index * size) / count), Math.ceil(((index + 1) * size) / count)];
}
