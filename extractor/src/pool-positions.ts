// Mean, maximum and generalised mean over the positions of one sample, channel by channel. For pool.ts.

/**
 * Four channels at a time: their sums stay in registers, and the next ones find their values in the cache.
 * @param values [positions, channels] @param pooled [channels], written
 */
export function poolMean(values: Float32Array, channels: number, pooled: Float32Array): void {
  const positions = values.length / channels;
  let channel = 0;
  for (; channel + 4 <= channels; channel += 4) {
    let [first, second, third, fourth] = [0, 0, 0, 0];
    for (let at = channel; at < values.length; at += channels) {
      first += values[at] as number;
      second += values[at + 1] as number;
      third += values[at + 2] as number;
      fourth += values[at + 3] as number;
    }
    pooled[channel] = first / positions;
    pooled[channel + 1] = second / positions;
    pooled[channel + 2] = third / positions;
    pooled[channel + 3] = fourth / positions;
  }
  for (; channel < channels; channel++) {
    let sum = 0;
    for (let at = channel; at < values.length; at += channels) sum += values[at] as number;
    pooled[channel] = sum / positions;
  }
}

/** @param values [positions, channels] @param pooled [channels], written */
export function poolMax(values: Float32Array, channels: number, pooled: Float32Array): void {
  pooled.fill(Number.NEGATIVE_INFINITY);
  for (let at = 0; at < values.length; ) {
    for (let channel = 0; channel < channels; channel++, at++) {
      const value = values[at] as number;
      // NaN wins and stays, as in numpy: a broken model should show.
      if (value > (pooled[channel] as number) || Number.isNaN(value)) pooled[channel] = value;
    }
  }
}

/** The authors' own: a value of 0 or less would have no root. */
const GEM_LEAST = 1e-6;

/**
 * Generalised mean, (mean of max(x, 1e-6)^p)^(1/p): Radenović, Tolias, Chum, Fine-tuning CNN Image Retrieval with No Human
 * Annotation (2018), equation 3. p = 1 is the mean, larger p come nearer to the maximum.
 * @param values [positions, channels] @param pooled [channels], written
 */
export function poolGem(values: Float32Array, channels: number, pooled: Float32Array, power: number): void {
  const sums = new Float64Array(channels);
  for (let at = 0; at < values.length; ) {
    for (let channel = 0; channel < channels; channel++, at++) {
      const value = Math.max(values[at] as number, GEM_LEAST);
      sums[channel] = (sums[channel] as number) + (power === 3 ? value * value * value : value ** power);
    }
  }
  const positions = values.length / channels;
  for (let channel = 0; channel < channels; channel++) {
    pooled[channel] = ((sums[channel] as number) / positions) ** (1 / power);
  }
}
