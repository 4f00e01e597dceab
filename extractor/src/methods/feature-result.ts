// What the inline way gives back: one layer's features for all images, with rows as views and broken images named.
import type { SampleErrorCode } from '../../../shared/src/errors.ts';
import { type FeatureSpec, sizeOfShape } from '../../../shared/src/tensor.ts';

/** One layer's features for all images, in their order. */
export interface FeatureResult<Row = Float32Array> {
  /** The layer's exact name. */
  readonly name: string;
  /** [images, …shape of the feature]; a tensor of several rows counts as several images. */
  readonly shape: readonly number[];
  /** Row-major; zeros for a broken image. */
  readonly data: Float32Array;
  /** Each image's values, as views on `data`; null for a broken image where `onError` is `null`. */
  rows(): Row[];
  readonly failures: readonly ImageFailure[];
}

export interface ImageFailure {
  /** Position of the image in what was given. */
  readonly index: number;
  readonly code: SampleErrorCode;
  readonly message: string;
}

/** Collects the features of one layer, whose shape and number of images are known before the first batch. */
export interface FeatureCollector {
  /** Copies one image's values; a row that is never put stays null. */
  put(row: number, values: Float32Array): void;
  finish(failures: readonly ImageFailure[]): FeatureResult<Float32Array | null>;
}

export function createCollector(feature: FeatureSpec, count: number): FeatureCollector {
  const size = sizeOfShape(feature.shape);
  const data = new Float32Array(count * size);
  const present = new Array<boolean>(count).fill(false);
  return {
    put(row, values): void {
      data.set(values, row * size);
      present[row] = true;
    },
    finish: failures => ({
      name: feature.name,
      shape: [count, ...feature.shape],
      data,
      rows: () => present.map((there, row) => (there ? data.subarray(row * size, (row + 1) * size) : null)),
      failures,
    }),
  };
}
