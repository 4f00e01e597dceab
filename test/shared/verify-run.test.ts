// Verification finds and names every kind of damage, and nothing in a clean run.
import { copyFile, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { openPart } from '../../services/worker/src/publish.ts';
import { encodeRows } from '../../services/worker/src/serialize.ts';
import { manifestPath } from '../../shared/src/manifest.ts';
import { openManifestWriter } from '../../shared/src/manifest-writer.ts';
import { rowSchema } from '../../shared/src/row-schema.ts';
import { encodeJson, openRun, RUN_FILE, readReceipt, receiptPath } from '../../shared/src/run.ts';
import { type Verification, verifyRun } from '../../shared/src/verify-run.ts';
import { flipBitOf } from '../support/flip-bit.ts';
import {
  createSmallRun,
  featuresOf,
  publishPart,
  publishShard,
  publishShards,
  receiptOf,
  rowsOf,
  type SmallRun,
  type SmallRunOptions,
} from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function doneRun(options: SmallRunOptions = {}): Promise<SmallRun> {
  const small = await createSmallRun(await temporaryFolder(), { rows: 12, failedRows: [0, 5], ...options });
  await publishShards(small);
  return small;
}

async function verify(small: SmallRun): Promise<Verification> {
  return verifyRun(small.storage, await openRun(small.storage));
}

/** All that is wrong, one line each. */
async function damagesOf(small: SmallRun): Promise<readonly string[]> {
  return (await verify(small)).damages.map(({ message }) => message);
}

async function partOf(small: SmallRun, shard: number, file = 0): Promise<string> {
  const path = (await readReceipt(small.storage, small.run, shard))?.files[file]?.path;
  if (path === undefined) throw new Error(`Expected a part of shard ${shard}`);
  return path;
}

async function rewriteReceipt(small: SmallRun, shard: number, change: (text: string) => string): Promise<void> {
  const path = join(small.root, receiptPath(small.run, shard));
  await writeFile(path, change(await readFile(path, 'utf8')));
}

describe('a clean run', () => {
  it.each(['parquet', 'arrow', 'both'] as const)('of %s parts has no damage, and its rows add up', async format => {
    const small = await doneRun({ format });
    expect(await verify(small)).toEqual({ rows: 12, ok: 10, failed: 2, damages: [] });
  });

  it('reports each shard as it goes', async () => {
    const small = await doneRun();
    const seen: number[] = [];
    await verifyRun(small.storage, small.run, { onShard: shard => seen.push(shard) });
    expect(seen).toEqual([0, 1, 2]);
  });

  it('with layer names of any kind has no damage', async () => {
    const columns = [{ name: 'a.b/"c":0 ü', dtype: 'float32', shape: [1] }] as const;
    expect((await verify(await doneRun({ columns, format: 'both' }))).damages).toEqual([]);
  });
});

describe.each(['parquet', 'arrow'] as const)('damage to a %s part', format => {
  it('is found when it was deleted', async () => {
    const small = await doneRun({ format });
    const part = await partOf(small, 1);
    await rm(join(small.root, part));
    const damages = await damagesOf(small);
    expect(damages).toEqual([`${part} is missing`]);
  });

  it('is found when one bit was flipped', async () => {
    const small = await doneRun({ format });
    const part = await partOf(small, 1);
    await flipBitOf(join(small.root, part), 700);
    expect(await damagesOf(small)).toEqual([`${part} is damaged: its sha256 is not that of its receipt`]);
  });

  it('is found when it was cut short, with both sizes', async () => {
    const small = await doneRun({ format });
    const part = await partOf(small, 2);
    const { length } = await readFile(join(small.root, part));
    await truncate(join(small.root, part), 100);
    expect(await damagesOf(small)).toEqual([
      `${part} has 100 bytes, its receipt says ${length}`,
      `${part} is damaged: its sha256 is not that of its receipt`,
    ]);
  });

  it('is found when two rows have each other’s ids', async () => {
    const small = await createSmallRun(await temporaryFolder(), { rows: 4, format });
    const samples = [...small.samples];
    const [first, second] = samples;
    if (first === undefined || second === undefined) throw new Error('Expected two samples');
    const swapped = { ...small, samples: [second, first, ...samples.slice(2)] };
    await publishShard(swapped, 0);
    expect(await damagesOf(small)).toEqual([
      `${await partOf(small, 0)} row 0 is '${second.sampleId}' where the manifest has '${first.sampleId}'`,
    ]);
  });

  it('is found when rows are missing or too many', async () => {
    for (const rows of [3, 5]) {
      const small = await createSmallRun(await temporaryFolder(), { rows: 8, format });
      const schema = rowSchema(small.run);
      const writer = await openPart(small.storage, small.run, 0, schema);
      await writer.write(encodeRows(schema, small.run.columns, rowsOf(small, 0, rows), featuresOf(small.run, 0, rows)));
      const files = await writer.publish();
      await small.storage.createOnce(receiptPath(small.run, 0), encodeJson(receiptOf(small, 0, files)));
      await publishShard(small, 1);
      const damages = await damagesOf(small);
      expect(damages).toHaveLength(1);
      expect(damages[0]).toContain(files[0]?.path);
      expect(damages[0]).toMatch(rows === 3 ? 'holds 3 rows' : "row 4 is 'class 4");
    }
  });

  it('is found when it holds other statuses than its receipt counts', async () => {
    const small = await createSmallRun(await temporaryFolder(), { rows: 4, format });
    const files = await publishPart({ ...small, failedRows: new Set([1]) }, 0);
    await small.storage.createOnce(receiptPath(small.run, 0), encodeJson(receiptOf(small, 0, files)));
    expect(await damagesOf(small)).toEqual([`${files[0]?.path} holds 4 rows, 3 of them ok; expected 4 and 4`]);
  });
});

describe('damage to a receipt', () => {
  it('is found when it is missing: its part is garbage then', async () => {
    const small = await doneRun();
    const part = await partOf(small, 1);
    await rm(join(small.root, receiptPath(small.run, 1)));
    expect(await verify(small)).toEqual({
      rows: 8,
      ok: 7,
      failed: 1,
      damages: [
        {
          code: 'receipt-missing',
          shard: 1,
          file: receiptPath(small.run, 1),
          message: 'shard 000/000001 has no receipt: it is not done',
        },
        {
          code: 'part-unnamed',
          shard: undefined,
          file: part,
          message: expect.stringContaining(`${part} is named by no receipt`),
        },
      ],
    });
  });

  it('is found when it cannot be read, naming the file', async () => {
    const small = await doneRun();
    await rewriteReceipt(small, 1, text => text.slice(0, 60));
    expect((await damagesOf(small))[0]).toContain(receiptPath(small.run, 1));
  });

  it('is found when it belongs to another request', async () => {
    const small = await doneRun();
    await rewriteReceipt(small, 1, text => text.replace(small.run.fingerprint, 'f'.repeat(64)));
    expect(await damagesOf(small)).toEqual(['the receipt of shard 1 belongs to another request']);
  });

  it('is found when it is that of another shard, even where the rows add up', async () => {
    const small = await doneRun();
    await rm(join(small.root, await partOf(small, 1)));
    await copyFile(join(small.root, receiptPath(small.run, 2)), join(small.root, receiptPath(small.run, 1)));
    const damages = await damagesOf(small);
    expect(damages[0]).toBe('the receipt of shard 1 is that of shard 2');
    expect(damages[1]).toMatch(/row 0 is '.+' where the manifest has '.+'/);
  });

  it('is found when it does not name the part of a format', async () => {
    const small = await doneRun({ format: 'both' });
    const arrow = await partOf(small, 0, 1);
    const receipt = await readReceipt(small.storage, small.run, 0);
    const files = receipt?.files.slice(0, 1);
    await small.storage.replace(receiptPath(small.run, 0), encodeJson({ ...receipt, files }));
    const damages = await damagesOf(small);
    expect(damages[0]).toBe('the receipt of shard 0 names no arrow part');
    expect(damages[1]).toContain(`${arrow} is named by no receipt`);
  });

  it.each([
    ['counts of rows', (text: string) => text.replace('"ok": 3', '"ok": 4')],
    ['count of rows in its part', (text: string) => text.replace(/"rows": 4(?=\s+\})/, '"rows": 3')],
  ])('is found when its %s are wrong', async (_, change) => {
    const small = await doneRun();
    await rewriteReceipt(small, 0, change);
    expect((await damagesOf(small)).length).toBeGreaterThan(0);
  });
});

describe('damage to the run itself', () => {
  it('is found when a part too many lies among them', async () => {
    const small = await doneRun();
    await copyFile(join(small.root, await partOf(small, 0)), join(small.root, 'parts/000/000000-00000000.parquet'));
    expect(await damagesOf(small)).toEqual([
      'parts/000/000000-00000000.parquet is named by no receipt: `npx layertap resume` removes it',
    ]);
  });

  it('is found when two parts have each other’s names', async () => {
    const small = await doneRun();
    const [a, b] = [join(small.root, await partOf(small, 0)), join(small.root, await partOf(small, 1))];
    await rename(a, `${a}.x`);
    await rename(b, a);
    await rename(`${a}.x`, b);
    expect((await damagesOf(small)).length).toBeGreaterThanOrEqual(2);
  });

  it('is found when the manifest was changed, and each row that no longer fits', async () => {
    const small = await doneRun();
    const writer = openManifestWriter(small.storage, small.run.runId, small.run.carried);
    for (const sample of small.samples) {
      await writer.add(sample === small.samples[6] ? { ...sample, sampleId: 'another' } : sample);
    }
    await writer.close();
    expect(await damagesOf(small)).toEqual([
      'the manifest was changed: its digest is not that of run.json',
      `${await partOf(small, 1)} row 2 is '${small.samples[6]?.sampleId}' where the manifest has 'another'`,
    ]);
  });

  it('is found when one byte of the manifest was flipped that no row id shows', async () => {
    const small = await doneRun();
    const path = join(small.root, manifestPath(small.run.runId, 0));
    const bytes = await readFile(path);
    const at = bytes.indexOf('/photos/');
    bytes[at + 1] = 'q'.charCodeAt(0);
    await writeFile(path, bytes);
    expect(tableFromIPC(bytes).numRows).toBe(12);
    expect(await damagesOf(small)).toEqual(['the manifest was changed: its digest is not that of run.json']);
  });

  it('is found when a manifest file is missing', async () => {
    const small = await doneRun();
    await rm(join(small.root, manifestPath(small.run.runId, 0)));
    const damages = await damagesOf(small);
    expect(damages[0]).toBe(`${manifestPath(small.run.runId, 0)} is missing`);
    expect(damages.length).toBeGreaterThan(1);
  });

  it.each([
    ['request', { request: { pool: 'max' } }, 'run.json was changed'],
    ['count of rows', { manifest: { rows: 11 } }, 'of 3 rows'],
    ['size of the shards', { shardSize: 5 }, 'of 5 rows'],
    ['count of shards', { shards: 2 }, 'is named by no receipt'],
    ['columns', { columns: [] }, 'columns'],
    ['carried columns', { carried: [] }, 'columns'],
  ])('is found when the %s in run.json was edited', async (_, edit, named) => {
    const small = await doneRun();
    const run: Record<string, unknown> = { ...small.run };
    for (const [name, value] of Object.entries(edit)) {
      run[name] =
        typeof value === 'object' && !Array.isArray(value)
          ? { ...(run[name] as Readonly<Record<string, unknown>>), ...value }
          : value;
    }
    await writeFile(join(small.root, RUN_FILE), JSON.stringify(run));
    expect((await damagesOf(small)).join('\n')).toContain(named);
  });

  it('is all listed at once', async () => {
    const small = await doneRun();
    await rm(join(small.root, await partOf(small, 0)));
    await truncate(join(small.root, await partOf(small, 1)), 10);
    await rm(join(small.root, receiptPath(small.run, 2)));
    const { damages } = await verify(small);
    expect(new Set(damages.map(({ shard }) => shard))).toEqual(new Set([0, 1, 2, undefined]));
  });
});
