// The range check: looks over the features of a shard for what shows a wrong recipe or broken weights. For process-shard.ts.
// A recipe's output cannot leave its own range, so only what the model makes of it tells.
import { addWarnings, type WarningCode, type WarningCounts } from '../../../shared/src/feature-warnings.ts';
import { HALF_OVERFLOW } from '../../../shared/src/half-float.ts';
import { type FeatureSpec, sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';

export interface RangeCheck {
  /** @param features one per column, before they become float16 @param present per row, whether it has an image */
  add(input: TensorData, features: readonly TensorData[], present: readonly boolean[]): void;
  /** What the shard has shown, per column that shows anything. */
  finish(): readonly ColumnWarnings[];
}

export interface ColumnWarnings {
  readonly column: string;
  readonly counts: WarningCounts;
}

/** Values looked at of one image in one column: a large feature map must not cost time. */
const SAMPLED_VALUES = 2048;
/** Few images may be alike: a verdict over a shard needs some. */
const LEAST_IMAGES = 4;
/** Relative to the largest value: an engine's last bits may change with the batch. */
const EQUAL_WITHIN = 1e-6;

export function openRangeCheck(columns: readonly FeatureSpec[]): RangeCheck {
  const watches = columns.map(openColumnWatch);
  let firstInput: Float32Array | undefined;
  let inputsDiffer = false;

  return {
    add(input, features, present): void {
      present.forEach((there, row) => {
        if (!there) return;
        const sampled = sampleRow(input, row);
        firstInput ??= sampled;
        inputsDiffer ||= !isEqual(firstInput, sampled, 0);
        features.forEach((feature, column) => {
          watches[column]?.add(feature, row);
        });
      });
    },
    finish: () =>
      watches.flatMap(watch => {
        const counts = watch.finish(inputsDiffer);
        return Object.keys(counts).length === 0 ? [] : [{ column: watch.column, counts }];
      }),
  };
}

/** Adds up the columns, for a receipt. */
export function totalWarnings(warnings: readonly ColumnWarnings[]): Partial<Record<WarningCode, number>> {
  const totals: Partial<Record<WarningCode, number>> = {};
  for (const { counts } of warnings) addWarnings(totals, counts);
  return totals;
}

interface ColumnWatch {
  readonly column: string;
  add(feature: TensorData, row: number): void;
  finish(inputsDiffer: boolean): WarningCounts;
}

function openColumnWatch({ name, dtype }: FeatureSpec): ColumnWatch {
  const tally = { rows: 0, notFinite: 0, constant: 0, equal: 0, overflow: 0 };
  let first: Float32Array | undefined;

  return {
    column: name,
    add(feature, row): void {
      const values = sampleRow(feature, row);
      first ??= values;
      tally.rows++;
      if (!values.every(Number.isFinite)) tally.notFinite++;
      else if (values.length > 1 && values.every(value => value === values[0])) tally.constant++;
      if (isEqual(first, values, EQUAL_WITHIN)) tally.equal++;
      if (dtype === 'float16' && overflows(feature, row)) tally.overflow++;
    },
    finish(inputsDiffer): WarningCounts {
      const { rows, notFinite, constant, equal, overflow } = tally;
      const judged = rows >= LEAST_IMAGES && inputsDiffer;
      return {
        ...(notFinite > 0 && { 'not-finite': notFinite }),
        ...(judged && constant === rows && { 'constant-layer': rows }),
        ...(judged && equal === rows && constant < rows && { 'equal-features': rows }),
        ...(overflow > 0 && { 'float16-overflow': overflow }),
      };
    },
  };
}

/** Evenly spread over the row, with an odd step: an even one would meet the same channels again and again. */
function sampleRow({ data, shape }: TensorData, row: number): Float32Array {
  const size = sizeOfShape(shape.slice(1));
  const values = data.subarray(row * size, (row + 1) * size);
  const step = Math.floor(size / SAMPLED_VALUES) | 1;
  // A copy: the engine may reuse the batch's memory.
  return step === 1
    ? values.slice()
    : Float32Array.from({ length: Math.floor(size / step) }, (_, i) => values[i * step] ?? 0);
}

/** NaN is equal to nothing. */
function isEqual(a: Float32Array, b: Float32Array, within: number): boolean {
  const largest = within === 0 ? 0 : a.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return a.every((value, index) => Math.abs(value - (b[index] ?? Number.NaN)) <= within * largest);
}

/** Every value: what is lost must be counted. */
function overflows({ data, shape }: TensorData, row: number): boolean {
  const size = sizeOfShape(shape.slice(1));
  for (let at = row * size; at < (row + 1) * size; at++) {
    const value = Math.abs(data[at] as number);
    if (value >= HALF_OVERFLOW && value !== Number.POSITIVE_INFINITY) return true;
  }
  return false;
}
