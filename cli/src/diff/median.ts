// The median of any number of values in bounded memory: exact up to a bound, of every second, fourth, … value beyond it.

export interface Median {
  add(value: number): void;
  /** NaN where no value was added. */
  value(): number;
}

const KEPT = 65_536;

/** @param kept values that are held at most */
export function createMedian(kept = KEPT): Median {
  let values: number[] = [];
  let step = 1;
  let seen = 0;
  return {
    add(value): void {
      if (seen++ % step !== 0) return;
      values.push(value);
      if (values.length < kept) return;
      values = values.filter((_, index) => index % 2 === 0);
      step *= 2;
    },
    value(): number {
      const sorted = Float64Array.from(values).sort();
      const middle = sorted.length >> 1;
      if (sorted.length === 0) return Number.NaN;
      return sorted.length % 2 === 1
        ? (sorted[middle] as number)
        : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
    },
  };
}
