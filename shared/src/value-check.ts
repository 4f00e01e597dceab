// Looks at every value of a part: that a row has features exactly where its status says so, and what is not finite is counted.
import type { RecordBatch, Vector } from 'apache-arrow';
import { isSameValue, valueAt } from './carried-types.ts';
import { SAMPLE_ERROR_CODES } from './errors.ts';
import type { Sample } from './manifest.ts';
import type { ShardReceipt } from './receipt.ts';
import { ROW_COLUMNS } from './row-schema.ts';
import type { RunRecord } from './run.ts';
import { decodeTensor, holdsNaN, sizeOfShape } from './tensor.ts';

export interface ValueCheck {
  /** Feature vectors so far that hold a value which is NaN or infinite. */
  readonly notFinite: number;
  open(batch: RecordBatch): BatchCheck;
  /** What is wrong with the part as a whole, if anything. */
  finish(): string | undefined;
}

export interface BatchCheck {
  /** What is wrong with one row, if anything. */
  row(index: number, sample: Sample): string | undefined;
}

/** Workers look at each value of a vector below this many; of a larger one only at some (range-check.ts). */
const COUNTED_WHOLE = 4096;
const CODES: ReadonlySet<unknown> = new Set(SAMPLE_ERROR_CODES);

export function openValueCheck(run: RunRecord, receipt: ShardReceipt): ValueCheck {
  let notFinite = 0;
  let expectedOnes = 0;

  return {
    get notFinite(): number {
      return notFinite;
    },

    open(batch): BatchCheck {
      const column = (name: string): Vector | null => batch.getChild(name);
      const [uri, status, code, message] = ['uri', 'status', 'error_code', 'error_message'].map(column);
      const carried = run.carried.map((_, index) => batch.getChildAt(ROW_COLUMNS.length + index));
      const features = run.columns.map(({ name, shape }, index) => {
        const at = ROW_COLUMNS.length + run.carried.length + index;
        const vector = batch.getChildAt(at);
        const field = batch.schema.fields[at];
        if (vector === null || field === undefined) throw new Error(`Expected a column '${name}'`);
        const { data } = decodeTensor(field, vector);
        return { name, vector, size: sizeOfShape(shape), data, nan: holdsNaN(field) };
      });

      return {
        row(index, sample): string | undefined {
          if (uri?.get(index) !== sample.uri) return `has the uri '${uri?.get(index)}', the manifest '${sample.uri}'`;
          for (const [at, vector] of carried.entries()) {
            if (!isSameValue(vector === null ? null : valueAt(vector, index), sample.carried[at] ?? null))
              return `has another ${run.carried[at]?.name} than the manifest`;
          }
          const state = status?.get(index);
          if (state !== 'ok' && state !== 'failed') return `has the status '${state}'`;
          const ok = state === 'ok';
          if (ok ? code?.get(index) !== null : !CODES.has(code?.get(index)))
            return `is ${state} with the error code '${code?.get(index)}'`;
          if ((message?.get(index) === null) !== ok) return `is ${state} ${ok ? 'with a' : 'without a'} message`;
          for (const { name, vector, size, data, nan } of features) {
            const values = data.subarray(index * size, (index + 1) * size);
            const there = nan ? ok || !values.every(Number.isNaN) : vector.isValid(index);
            if (there !== ok) return `is ${state} ${ok ? 'without' : 'with'} a feature in '${name}'`;
            if (!ok || isFiniteVector(values)) continue;
            notFinite++;
            if (size < COUNTED_WHOLE) expectedOnes++;
          }
          return undefined;
        },
      };
    },

    finish(): string | undefined {
      // Receipts of old have no warnings.
      if (receipt.warnings === undefined) return undefined;
      const counted = (receipt.warnings['not-finite'] ?? 0) + (receipt.warnings['float16-overflow'] ?? 0);
      if (expectedOnes <= counted) return undefined;
      return `has ${expectedOnes} features with values that are not finite, its receipt counts ${counted}`;
    },
  };
}

function isFiniteVector(values: Float32Array): boolean {
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += (values[at] as number) * 0;
  return sum === 0;
}
