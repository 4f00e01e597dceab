// Minimum, median and maximum over the rounds, and ratios taken within each round. For the report.

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Undefined for no values. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) return undefined;
  const upper = sorted[Math.floor(sorted.length / 2)] as number;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] as number;
  return { min, median: (lower + upper) / 2, max };
}

/** Round by round: neighbours in time share what disturbs them. A round that lacks a value is left out. */
export function ratioSpread(
  above: readonly (number | null | undefined)[],
  below: readonly (number | null | undefined)[],
): Spread | undefined {
  const ratios = above.map((value, round) => (value ?? Number.NaN) / (below[round] ?? Number.NaN));
  return spreadOf(ratios.filter(ratio => Number.isFinite(ratio)));
}

/** For a table; empty where there is nothing. */
export function spreadText(spread: Spread | undefined, digits: number): string {
  if (spread === undefined) return '';
  return [spread.min, spread.median, spread.max].map(value => value.toFixed(digits)).join(' / ');
}
