// The range check: looks over the features of a shard for what shows a wrong recipe or broken weights. For process-shard.ts.
// A recipe's output cannot leave its own range, so only what the model makes of it tells.
import type { InputBatch } from '../../../extractor/src/input-batch.ts';
import { viewRows } from '../../../extractor/src/rows.ts';
import type { WarningCounts } from '../../../shared/src/feature-warnings.ts';
import { HALF_OVERFLOW } from '../../../shared/src/half-float.ts';
import { addCounts } from '../../../shared/src/receipt.ts';
import type { FeatureSpec, TensorData } from '../../../shared/src/tensor.ts';

export interface RangeCheck {
  /** @param features one per column, before they become float16 @param present per row, whether it has an image */
  add(input: InputBatch, features: readonly TensorData[], present: readonly boolean[]): void;
  /** What the shard has shown, per column that shows anything. */
  finish(): readonly ColumnWarnings[];
}

export interface ColumnWarnings {
  readonly column: string;
  readonly counts: WarningCounts;
}

type Numbers = Float32Array | Uint8Array;

/** Values looked at of one image in one column: a large feature map must not cost time. */
const SAMPLED_VALUES = 2048;
/** Few images may be alike: a verdict over a shard needs some. */
const LEAST_IMAGES = 4;
/** Relative to the largest value: an engine's last bits may change with the batch. */
const EQUAL_WITHIN = 1e-6;

export function openRangeCheck(columns: readonly FeatureSpec[]): RangeCheck {
  const watches = columns.map(openColumnWatch);
  let firstInput: Numbers | undefined;
  let inputsDiffer = false;

  return {
    add(input, features, present): void {
      present.forEach((there, row) => {
        if (!there) return;
        if (!inputsDiffer) {
          const values: Numbers = viewRows(input, row, 1).data;
          // A copy: the batch's memory is used again.
          firstInput ??= values.slice();
          inputsDiffer = !isNear(firstInput, values, 0);
        }
        features.forEach((feature, column) => {
          watches[column]?.add(viewRows(feature, row, 1).data);
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
export function totalWarnings(warnings: readonly ColumnWarnings[]): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const { counts } of warnings) addCounts(totals, counts);
  return totals;
}

interface ColumnWatch {
  readonly column: string;
  /** @param values of one image */
  add(values: Float32Array): void;
  finish(inputsDiffer: boolean): WarningCounts;
}

function openColumnWatch({ name, dtype }: FeatureSpec): ColumnWatch {
  const tally = { rows: 0, notFinite: 0, constant: 0, equal: 0, overflow: 0 };
  let first: Float32Array | undefined;
  let tolerance = 0;

  return {
    column: name,
    add(values): void {
      if (first === undefined) {
        first = values.slice();
        tolerance = EQUAL_WITHIN * first.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      }
      tally.rows++;
      if (!isFiniteRow(values)) tally.notFinite++;
      else if (values.length > 1 && isConstant(values)) tally.constant++;
      if (isNear(first, values, tolerance)) tally.equal++;
      if (dtype === 'float16' && overflows(values)) tally.overflow++;
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

/** Odd: an even step would meet the same channels again and again. */
function stepOf(values: Numbers): number {
  return Math.floor(values.length / SAMPLED_VALUES) | 1;
}

function isFiniteRow(values: Float32Array): boolean {
  const step = stepOf(values);
  let sum = 0;
  for (let at = 0; at < values.length; at += step) sum += (values[at] as number) * 0;
  return sum === 0;
}

function isConstant(values: Float32Array): boolean {
  const step = stepOf(values);
  for (let at = 0; at < values.length; at += step) if (values[at] !== values[0]) return false;
  return true;
}

/** NaN is near to nothing. */
function isNear(a: Numbers, b: Numbers, within: number): boolean {
  const step = stepOf(a);
  for (let at = 0; at < a.length; at += step) {
    if (!(Math.abs((a[at] as number) - (b[at] as number)) <= within)) return false;
  }
  return true;
}

/** Every value: what is lost must be counted. */
function overflows(values: Float32Array): boolean {
  for (let at = 0; at < values.length; at++) {
    const value = Math.abs(values[at] as number);
    if (value >= HALF_OVERFLOW && value !== Number.POSITIVE_INFINITY) return true;
  }
  return false;
}
