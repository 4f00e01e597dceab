// A deep verification looks at every value: what each row holds beside its id, and whether the receipt counted what is not finite.
import { makeData, RecordBatch, Struct } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { openPart } from '../../services/worker/src/publish.ts';
import { encodeRows } from '../../services/worker/src/serialize.ts';
import type { ShardReceipt } from '../../shared/src/receipt.ts';
import { rowSchema } from '../../shared/src/row-schema.ts';
import { encodeJson, receiptPath } from '../../shared/src/run.ts';
import { verifyRun } from '../../shared/src/verify-run.ts';
import { createSmallRun, featuresOf, receiptOf, rowsOf, type SmallRun } from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

type Fields = Partial<ShardReceipt>;

/** One shard of four rows, whose batch may be changed on its way into the part. */
async function runOf(
  change: (batch: RecordBatch, small: SmallRun) => RecordBatch,
  fields: Fields = {},
  partSchema: 1 | 2 = 2,
) {
  const options = { rows: 4, format: 'both', failedRows: [1], partSchema } as const;
  const small = await createSmallRun(await temporaryFolder(), options);
  const { run, storage } = small;
  const schema = rowSchema(run);
  const part = await openPart(storage, run, 0, schema);
  await part.write(change(encodeRows(schema, run.columns, rowsOf(small, 0, 4), featuresOf(run, 0, 4)), small));
  const receipt = { ...receiptOf(small, 0, await part.publish()), warnings: {}, ...fields };
  await storage.createOnce(receiptPath(run, 0), encodeJson(receipt));
  return small;
}

/** The batch with some of its columns taken from another one of the same schema. */
function withColumns(batch: RecordBatch, other: RecordBatch, names: readonly string[]): RecordBatch {
  const children = batch.schema.fields.map(({ name }, index) => {
    const column = (names.includes(name) ? other : batch).data.children[index];
    if (column === undefined) throw new Error(`Expected a column ${name}`);
    return column;
  });
  const type = new Struct(batch.schema.fields);
  return new RecordBatch(batch.schema, makeData({ type, length: batch.numRows, nullCount: 0, children }));
}

function batchOf(small: SmallRun): RecordBatch {
  return encodeRows(rowSchema(small.run), small.run.columns, rowsOf(small, 0, 4), featuresOf(small.run, 0, 4));
}

async function deepDamages(small: SmallRun): Promise<readonly string[]> {
  expect((await verifyRun(small.storage, small.run)).damages).toEqual([]);
  const { damages } = await verifyRun(small.storage, small.run, { deep: true });
  expect(damages.every(({ code, shard }) => code === 'part-values' && shard === 0)).toBe(true);
  return damages.map(({ message }) => message);
}

const STATUS_COLUMNS = ['status', 'error_code', 'error_message'];

describe('a deep verification', () => {
  it('finds nothing in a whole run', async () => {
    expect(await deepDamages(await runOf(batch => batch))).toEqual([]);
  });

  it.each([
    ['a failed row with a feature', 1, [], [], "is failed with a feature in 'block/conv'"],
    ['a failed row with a feature', 2, [], [], "is failed with a feature in 'block/conv'"],
    ['an ok row without its feature', 1, [1, 2], STATUS_COLUMNS, 'is ok without a feature'],
    // NaN may be what the model gives: then its receipt has counted it.
    ['an ok row without its feature', 2, [1, 2], STATUS_COLUMNS, 'has 2 features with values that are not finite'],
  ] as const)('finds %s, in part schema %i', async (_, partSchema, failed, columns, words) => {
    const small = await runOf(
      (batch, { run, ...rest }) => {
        const other = batchOf({ ...rest, run, failedRows: new Set(failed) });
        const taken = columns.length === 0 ? run.columns.map(({ name }) => name) : [];
        return columns.length === 0 ? withColumns(batch, other, taken) : withColumns(other, batch, columns);
      },
      {},
      partSchema,
    );
    const damages = await deepDamages(small);
    expect(damages).toHaveLength(2);
    for (const message of damages) expect(message).toContain(words);
  });

  it('finds a failed row without a code', async () => {
    const small = await runOf((batch, rest) =>
      withColumns(batch, batchOf({ ...rest, failedRows: new Set() }), ['error_code']),
    );
    expect((await deepDamages(small))[0]).toMatch(/row 1 .* is failed with the error code 'null'/);
  });

  it.each(['uri', 'weight'])('finds another %s than the manifest has', async name => {
    const small = await runOf((batch, rest) => {
      const samples = rest.samples.map(sample => ({ ...sample, uri: '/elsewhere', carried: ['x', 1n, 0.125, true] }));
      return withColumns(batch, batchOf({ ...rest, samples }), [name]);
    });
    expect((await deepDamages(small))[0]).toMatch(new RegExp(`row 0 .* has (the uri '/elsewhere'|another ${name})`));
  });

  it('counts features that are not finite, and wants them in the receipt', async () => {
    const broken = (batch: RecordBatch, { run, ...rest }: SmallRun): RecordBatch => {
      const features = featuresOf(run, 0, 4);
      features[1]?.data.fill(Number.NaN, 3, 5);
      const rows = rowsOf({ run, ...rest }, 0, 4);
      return encodeRows(batch.schema, run.columns, rows, features);
    };
    const silent = await runOf(broken);
    expect((await deepDamages(silent))[0]).toMatch(/1 features with values that are not finite, its receipt counts 0/);
    const counted = await runOf(broken, { warnings: { 'not-finite': 1 } });
    expect(await verifyRun(counted.storage, counted.run, { deep: true })).toMatchObject({ notFinite: 1, damages: [] });
  });
});
