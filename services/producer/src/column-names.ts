// The names of a run's columns: those of layers must differ from all others.
import { Refusal } from '../../../shared/src/errors.ts';
import type { CarriedColumn } from '../../../shared/src/manifest.ts';
import { ROW_COLUMNS } from '../../../shared/src/row-schema.ts';
import type { FeatureSpec } from '../../../shared/src/tensor.ts';

/** @throws Refusal `bad-option` for a layer that is called as a column of every row or as one that the list carries */
export function checkColumnNames(columns: readonly FeatureSpec[], carried: readonly CarriedColumn[]): void {
  const taken = new Set<string>([...ROW_COLUMNS, ...carried.map(({ name }) => name)]);
  const clash = columns.find(({ name }) => taken.has(name));
  if (clash === undefined) return;
  throw new Refusal(
    'bad-option',
    `Expected layer names that differ from the other columns but '${clash.name}' is both`,
    {
      hint: 'Rename that column of the list.',
    },
  );
}
