// layertap diff: why the features of two runs differ, and by how much.
import { resolve } from 'node:path';
import { z } from 'zod';
import { outputOptions } from '../../../shared/src/extract-options.ts';
import { summarizeRun } from '../../../shared/src/finish-run.ts';
import { openRun, readReceipts } from '../../../shared/src/run.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { defineCommand } from '../command.ts';
import { compareRuns, type FeatureComparison, type OpenedRun } from '../diff/compare-features.ts';
import { compareRecords, type RecordDifference, type RunFacts } from '../diff/compare-records.ts';
import { twoPositionals } from '../positional.ts';
import { formatTable } from '../table.ts';

export const diff = defineCommand({
  name: 'diff',
  summary: 'Say why the features of two runs differ, and by how much',
  positionals: 'OUT OTHER',
  options: {
    cosine: z.coerce.number().min(-1).max(1).optional().meta({
      description: 'Least cosine that still counts as equal; without it, each value to the last bit',
      value: 'C',
    }),
    ...outputOptions,
  },
  async run({ options, positionals }): Promise<number> {
    const [one, other] = await Promise.all(twoPositionals('diff', ['OUT', 'OTHER'], positionals).map(openOut));
    if (one === undefined || other === undefined) throw new Error('Expected two runs');
    const [mine, others] = [await factsOf(one), await factsOf(other)];
    const differences = compareRecords(mine, others);
    const features = await compareRuns(one, other);
    const equal = isEqual(features, options.cosine);
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ one: one.storage.root, other: other.storage.root, equal, nothingToCompare: nothingToCompare(features), differences, ...features })}\n`
        : `${describe(differences, features, equal)}\n`,
    );
    return equal ? 0 : 1;
  },
});

async function openOut(out: string): Promise<OpenedRun> {
  const storage = openFileStorage(resolve(out));
  return { storage, run: await openRun(storage) };
}

async function factsOf({ storage, run }: OpenedRun): Promise<RunFacts> {
  const cpus = new Set<string>();
  for await (const { cpu } of readReceipts(storage, run)) cpus.add(cpu);
  return { run, summary: await summarizeRun(storage, run), cpus: [...cpus].sort() };
}

function isEqual(features: FeatureComparison, cosine: number | undefined): boolean {
  const { onlyInOne, onlyInOther, otherStatus, unmatched, columns } = features;
  if (onlyInOne + onlyInOther + otherStatus + unmatched.length > 0 || nothingToCompare(features)) return false;
  return columns.every(({ rows, identical, leastCosine }) =>
    cosine === undefined ? identical === rows : leastCosine >= cosine,
  );
}

/** Two runs of which nothing is done would be equal. */
function nothingToCompare({ columns }: FeatureComparison): boolean {
  return columns.every(({ rows }) => rows === 0);
}

function describe(differences: readonly RecordDifference[], features: FeatureComparison, equal: boolean): string {
  const { rows, onlyInOne, onlyInOther, otherStatus, unmatched } = features;
  const lines = [`${equal ? 'equal' : 'different'}: ${rows} images in both`];
  if (nothingToCompare(features)) lines.push('nothing to compare: no image has features of the same column in both');
  if (onlyInOne + onlyInOther > 0) lines.push(`${onlyInOne} only in the first, ${onlyInOther} only in the second`);
  if (otherStatus > 0) lines.push(`${otherStatus} are ok in one and failed in the other`);
  if (unmatched.length > 0) lines.push(`not in both, or of another shape: ${unmatched.join(', ')}`);
  const [deciding, others] = [true, false].map(wanted => differences.filter(entry => entry.deciding === wanted));
  if (deciding !== undefined && deciding.length > 0)
    lines.push('', 'What decides a feature differs:', ...deciding.map(line));
  if (others !== undefined && others.length > 0) lines.push('', 'Also different:', ...others.map(line));
  if (features.columns.length > 0) lines.push('', table(features));
  return lines.join('\n');
}

function line({ name, one, other }: RecordDifference): string {
  return `  ${name}: ${one ?? 'none'} and ${other ?? 'none'}`;
}

function table({ columns }: FeatureComparison): string {
  const header = ['column', 'rows', 'identical', 'least cosine', 'median cosine', 'largest difference', 'least at'];
  return formatTable(
    header,
    columns.map(({ column, rows, identical, leastCosine, medianCosine, maxAbsDifference, leastAt }) => [
      column,
      String(rows),
      String(identical),
      leastCosine.toFixed(7),
      medianCosine.toFixed(7),
      maxAbsDifference.toExponential(2),
      leastAt ?? '',
    ]),
  );
}
