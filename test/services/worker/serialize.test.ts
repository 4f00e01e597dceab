// Rows and features of a batch as a record batch of the run's schema.
import { describe, expect, it } from 'vitest';
import { encodeRows } from '../../../services/worker/src/serialize.ts';
import { rowSchema } from '../../../shared/src/row-schema.ts';
import {
  carriedOf,
  createSmallRun,
  FAILURE,
  featuresOf,
  rowsOf,
  type SmallRun,
  sampleOf,
} from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

async function smallRun(): Promise<SmallRun> {
  return createSmallRun(await temporaryFolder(), { rows: 5, failedRows: [2] });
}

describe('encodeRows', () => {
  it('has one row per sample with the schema of the run', async () => {
    const { run, ...small } = await smallRun();
    const schema = rowSchema(run);
    const batch = encodeRows(schema, run.columns, rowsOf({ run, ...small }, 0, 5), featuresOf(run, 0, 5));
    expect(batch.numRows).toBe(5);
    expect(batch.schema.names).toEqual([
      ...['sample_id', 'uri', 'sha256', 'width', 'height', 'status', 'error_code', 'error_message'],
      ...['label', 'taken_at', 'weight', 'checked'],
      ...['block/conv', 'avg_pool'],
    ]);
    expect(batch.schema.metadata.get('layertap.fingerprint')).toBe(run.fingerprint);
  });

  it('says of an ok row what it is, and of a failed one why', async () => {
    const small = await smallRun();
    const { run } = small;
    const batch = encodeRows(rowSchema(run), run.columns, rowsOf(small, 0, 5), featuresOf(run, 0, 5));
    const [label, takenAt, weight, checked] = carriedOf(1);
    expect(batch.get(1)?.toJSON()).toMatchObject({
      sample_id: sampleOf(1).sampleId,
      uri: sampleOf(1).uri,
      sha256: '1'.padStart(64, '0'),
      width: 641,
      height: 480,
      status: 'ok',
      error_code: null,
      error_message: null,
      label,
      taken_at: takenAt,
      weight,
      checked,
    });
    expect(batch.get(2)?.toJSON()).toMatchObject({
      status: 'failed',
      error_code: FAILURE.code,
      error_message: FAILURE.message,
      width: null,
      height: null,
    });
    for (const name of ['block/conv', 'avg_pool'])
      expect([...(batch.getChild(name)?.get(2) ?? [])].map(Number.isNaN)).toContain(true);
  });

  it('leaves carried values out that a sample does not have', async () => {
    const { run } = await smallRun();
    const row = {
      sample: { sampleId: 'a', uri: '/a', carried: [] },
      sha256: null,
      size: null,
      failure: undefined,
    };
    const batch = encodeRows(rowSchema(run), run.columns, [row], featuresOf(run, 0, 1));
    expect(batch.get(0)?.toJSON()).toMatchObject({ label: null, taken_at: null, weight: null, checked: null });
  });

  it('refuses features of fewer columns or rows than wanted, naming the column', async () => {
    const small = await smallRun();
    const { run } = small;
    const rows = rowsOf(small, 0, 3);
    const schema = rowSchema(run);
    expect(() => encodeRows(schema, run.columns, rows, featuresOf(run, 0, 3).slice(0, 1))).toThrow("'avg_pool'");
    expect(() => encodeRows(schema, run.columns, rows, featuresOf(run, 0, 2))).toThrow(
      "Expected 3 rows of shape [4, 4, 8] for layer 'block/conv' but received a tensor of shape [2, 4, 4, 8]",
    );
  });
});
