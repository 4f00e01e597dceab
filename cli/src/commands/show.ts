// layertap show: the first rows of a run's output, for a look without any other tool.
import { resolve } from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import { z } from 'zod';
import { Refusal } from '../../../shared/src/errors.ts';
import { outputOptions } from '../../../shared/src/extract-options.ts';
import { readPartFile } from '../../../shared/src/part-reader.ts';
import { isOk } from '../../../shared/src/row-schema.ts';
import { openRun, type RunRecord, readReceipts } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { decodeTensor, featureOfField, sizeOfShape } from '../../../shared/src/tensor.ts';
import { defineCommand } from '../command.ts';
import { onlyPositional } from '../positional.ts';
import { formatTable } from '../table.ts';

/** Values of a feature that are shown. */
const VALUES_SHOWN = 4;

export const show = defineCommand({
  name: 'show',
  summary: 'Show the first rows that a run has written',
  positionals: 'OUT',
  options: {
    rows: z.coerce.number().int().min(1).default(5).meta({ description: 'Rows to show', value: 'N' }),
    failed: z.boolean().default(false).meta({ description: 'Only failed rows' }),
    ...outputOptions,
  },
  async run({ options, positionals }): Promise<number> {
    const storage = openFileStorage(resolve(onlyPositional('show', 'OUT', positionals)));
    const run = await openRun(storage);
    const rows = await firstRows(storage, run, options);
    if (options.json) {
      for (const row of rows) process.stdout.write(`${JSON.stringify(Object.fromEntries(row))}\n`);
    } else if (rows.length === 0) {
      process.stdout.write(options.failed ? 'No failed rows.\n' : 'No rows yet.\n');
    } else {
      const header = [...(rows[0]?.keys() ?? [])];
      process.stdout.write(
        `${formatTable(
          header,
          rows.map(row => header.map(name => String(row.get(name) ?? ''))),
        )}\n`,
      );
    }
    return 0;
  },
});

/** By column, in the order of the schema: an object would put a layer called '12' first. */
type ShownRow = ReadonlyMap<string, string | number | null>;

async function firstRows(
  storage: Storage,
  run: RunRecord,
  options: { readonly rows: number; readonly failed: boolean },
): Promise<readonly ShownRow[]> {
  const rows: ShownRow[] = [];
  for await (const receipt of readReceipts(storage, run)) {
    const file = receipt.files[0];
    if (file === undefined)
      throw new Refusal('run-unreadable', `Expected a part in the receipt of shard ${receipt.shard}`);
    if (options.failed && receipt.failed === 0) continue;
    for await (const batch of readPartFile(storage.root, file)) {
      for (let index = 0; index < batch.numRows; index++) {
        const row = shownRow(batch, index, options.failed);
        if (!options.failed || row.get('status') === 'failed') rows.push(row);
        if (rows.length === options.rows) return rows;
      }
    }
  }
  return rows;
}

function shownRow(batch: RecordBatch, index: number, failed: boolean): ShownRow {
  const features = batch.schema.fields.filter(field => featureOfField(field) !== undefined).map(({ name }) => name);
  // A failed row has nothing to show but its reason.
  const hidden = failed ? ['uri', 'sha256', 'width', 'height', ...features] : ['uri', 'sha256', 'error_message'];
  return new Map(
    batch.schema.fields.flatMap((field, column): [string, string | number | null][] => {
      const vector = batch.getChildAt(column);
      if (vector === null || hidden.includes(field.name)) return [];
      const feature = featureOfField(field);
      if (feature === undefined) return [[field.name, plainValue(vector.get(index))]];
      if (!isOk(batch, index)) return [[field.name, null]];
      const { data } = decodeTensor(field, vector.slice(index, index + 1));
      const values = [...data.subarray(0, VALUES_SHOWN)].map(value => value.toPrecision(3)).join(' ');
      const more = sizeOfShape(feature.shape) > VALUES_SHOWN ? ' …' : '';
      return [[field.name, `[${feature.shape.join('×')}] ${values}${more}`]];
    }),
  );
}

function plainValue(value: unknown): string | number | null {
  return value === null || typeof value === 'number' ? value : String(value);
}
