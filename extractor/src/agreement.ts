// The gate: when an engine's output of a layer counts as the reference's own. For the choice of an engine, the conformance
// run, and their tests.
import { compareFeatures, largestValue } from './feature-distance.ts';

/** Per layer, over all photos. */
export interface Distance {
  /** The least cosine between a photo's output and its reference. */
  readonly cosine: number;
  /** Largest absolute difference ÷ largest absolute reference value of the layer. */
  readonly relative: number;
}

/** How far Keras' own float32 lies from its float64: what no float32 engine can be asked to beat. */
export type OwnDistance = Distance;

export const LEAST_COSINE = 0.999999;
export const LARGEST_RELATIVE = 1e-4;
/** Times Keras' own distance from float64 that an engine may be away where that is more than the plain bounds. */
export const OWN_DISTANCE_FACTOR = 3;

export interface GateVerdict {
  readonly passed: boolean;
  /** One sentence for a report where it failed. */
  readonly reason: string | undefined;
}

/** @param values, reference both [rows, …shape] */
export function distanceBetween(
  values: Float32Array,
  reference: Float32Array | Float64Array,
  rows: number,
): Distance | undefined {
  if (values.length !== reference.length || values.length % rows !== 0) return undefined;
  const size = values.length / rows;
  let cosine = 1;
  let difference = 0;
  for (let row = 0; row < rows; row++) {
    const [from, to] = [row * size, (row + 1) * size];
    const distance = compareFeatures(values.subarray(from, to), reference.subarray(from, to));
    cosine = Math.min(cosine, distance.cosine);
    difference = Math.max(difference, distance.maxAbsDifference);
  }
  const scale = largestValue(reference);
  return { cosine, relative: scale === 0 ? (difference === 0 ? 0 : Number.POSITIVE_INFINITY) : difference / scale };
}

/** @param own where it has been measured: only a layer outside the plain bounds needs it */
export function judge(distance: Distance, own?: OwnDistance): GateVerdict {
  const allowedRelative = Math.max(LARGEST_RELATIVE, own === undefined ? 0 : OWN_DISTANCE_FACTOR * own.relative);
  const allowedCosine = Math.min(LEAST_COSINE, own === undefined ? 1 : 1 - OWN_DISTANCE_FACTOR * (1 - own.cosine));
  const problems = [
    distance.cosine >= allowedCosine ? '' : `cosine ${distance.cosine.toFixed(7)} below ${allowedCosine.toFixed(7)}`,
    distance.relative <= allowedRelative
      ? ''
      : `difference ${distance.relative.toExponential(1)} of the largest value, more than ${allowedRelative.toExponential(1)}`,
  ].filter(problem => problem !== '');
  return { passed: problems.length === 0, reason: problems.length === 0 ? undefined : problems.join(', ') };
}
