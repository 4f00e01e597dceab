// The verdict of `layertap certify`: distributions over the images, pass or fail, and the worst images by name.
import type { RunRecord } from '../../../shared/src/run.ts';
import type { Comparison, ImageComparison } from './compare.ts';

export interface Distribution {
  readonly worst: number;
  /** The value that one image in a hundred is worse than. */
  readonly p1: number;
  readonly median: number;
}

export interface Verdict {
  readonly version: 1;
  readonly passed: boolean;
  /** Why it did not pass, one sentence each. */
  readonly reasons: readonly string[];
  readonly model: string;
  readonly modelSha256: string;
  readonly layer: string;
  readonly engine: string;
  readonly recipe: RunRecord['request']['recipe'];
  readonly recipeOrigin: string;
  readonly reference: string;
  readonly source: string;
  /** Images with a comparison. */
  readonly compared: number;
  readonly threshold: number;
  readonly tolerance: number;
  readonly cosine: Distribution;
  readonly maxAbsDifference: Distribution;
  /** Largest absolute value of the reference. */
  readonly scale: number;
  readonly worst: readonly ImageComparison[];
  readonly missing: Comparison['missing'];
  readonly versions: Readonly<Record<string, string>>;
  readonly createdAt: string;
}

export interface VerdictOptions {
  readonly run: RunRecord;
  readonly reference: string;
  readonly threshold: number;
  readonly tolerance: number;
  readonly versions: Readonly<Record<string, string>>;
}

const NAMED = 10;

export function decideVerdict(comparison: Comparison, options: VerdictOptions): Verdict {
  const { run, threshold, tolerance } = options;
  const { images, missing, scale } = comparison;
  const low = images.filter(({ cosine }) => cosine < threshold).length;
  const far = images.filter(({ maxAbsDifference }) => maxAbsDifference > tolerance * scale).length;
  const reasons = [
    images.length === 0 ? 'no image could be compared' : '',
    low === 0 ? '' : `${low} of ${images.length} images have a cosine below ${threshold}`,
    far === 0 ? '' : `${far} of ${images.length} images differ by more than ${tolerance} of the largest value`,
    missing.length === 0 ? '' : `${missing.length} images have no comparison`,
  ].filter(reason => reason !== '');
  const byCosine = [...images].sort((a, b) => a.cosine - b.cosine || b.maxAbsDifference - a.maxAbsDifference);
  return {
    version: 1,
    passed: reasons.length === 0,
    reasons,
    model: run.request.model,
    modelSha256: run.request.modelSha256,
    layer: run.columns[0]?.name ?? '',
    engine: run.request.engine,
    recipe: run.request.recipe,
    recipeOrigin: run.request.recipeOrigin,
    reference: options.reference,
    source: run.source,
    compared: images.length,
    threshold,
    tolerance,
    cosine: distribution(byCosine.map(({ cosine }) => cosine)),
    maxAbsDifference: distribution(images.map(image => image.maxAbsDifference).sort((a, b) => b - a)),
    scale,
    worst: byCosine.slice(0, NAMED),
    missing: missing.slice(0, NAMED),
    versions: options.versions,
    createdAt: new Date().toISOString(),
  };
}

/** @param values the worst first */
function distribution(values: readonly number[]): Distribution {
  const at = (share: number): number => values[Math.max(0, Math.ceil(share * values.length) - 1)] ?? Number.NaN;
  return { worst: at(0), p1: at(0.01), median: at(0.5) };
}

export function formatVerdict(verdict: Verdict): string {
  const { cosine, maxAbsDifference: difference, worst, missing } = verdict;
  const number = (value: number): string => value.toExponential(1);
  return [
    `${verdict.passed ? 'PASSED' : 'FAILED'}: layer ${verdict.layer} on ${verdict.engine}, ${verdict.compared} images`,
    ...verdict.reasons.map(reason => `  ${reason}`),
    `  cosine          least ${cosine.worst.toFixed(7)}, 1st percentile ${cosine.p1.toFixed(7)}, median ${cosine.median.toFixed(7)}`,
    `  difference      largest ${number(difference.worst)}, 99th percentile ${number(difference.p1)}, median ${number(difference.median)} (largest value ${verdict.scale.toPrecision(3)})`,
    ...worst.slice(0, 3).map(image => `  worst           ${image.sampleId} (cosine ${image.cosine.toFixed(7)})`),
    ...missing.map(({ sampleId, reason }) => `  not compared    ${sampleId}: ${reason}`),
  ].join('\n');
}
