// How far one feature is from its reference: for `layertap certify` and for the gate of agreement.ts.
/** float64 where a reference came so. */
export type Features = Float32Array | Float64Array;

export interface FeatureDistance {
  readonly cosine: number;
  readonly maxAbsDifference: number;
}

/** What is no number is as far away as can be: NaN must not pass as no difference. */
export function compareFeatures(values: Float32Array, wanted: Features): FeatureDistance {
  let dot = 0;
  let squares = 0;
  let wantedSquares = 0;
  let difference = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? Number.NaN;
    const other = wanted[i] ?? Number.NaN;
    dot += value * other;
    squares += value * value;
    wantedSquares += other * other;
    const off = Math.abs(value - other);
    if (!(off <= difference)) difference = Number.isNaN(off) ? Number.POSITIVE_INFINITY : off;
  }
  const norms = Math.sqrt(squares) * Math.sqrt(wantedSquares);
  const cosine = norms === 0 ? Number(squares === wantedSquares) : dot / norms;
  return { cosine: Number.isNaN(cosine) ? -1 : Math.min(1, cosine), maxAbsDifference: difference };
}

/** The largest absolute value: what differences are measured by. */
export function largestValue(values: Features): number {
  let result = 0;
  for (const value of values) result = Math.max(result, Math.abs(value));
  return result;
}
