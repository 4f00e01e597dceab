// Every kind of source from end to end: its samples in order, its columns in the output with their types.

import { writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CarriedColumn } from '../../shared/src/manifest.ts';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { run } from '../support/layertap.ts';
import { because, whyNot } from '../support/needs.ts';
import { runPython } from '../support/python.ts';
import { type ReadRow, readJson, readRows } from '../support/read-rows.ts';

const noPython = whyNot('python');

const demo = useDemoSet();

interface Extracted {
  readonly rows: ReadonlyMap<string, ReadRow>;
  readonly carried: readonly CarriedColumn[];
  readonly stderr: string;
}

async function extract(name: string, source: string, cwd = demo.root): Promise<Extracted> {
  const out = join(demo.root, 'runs', name);
  const request = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm', '--format', 'both', '--out', out];
  const { code, stderr } = await run(['extract', source, ...request], { cwd });
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.anything() });
  const { carried } = await readJson<{ carried: CarriedColumn[] }>(out, 'run.json');
  const rows = await readRows(out);
  // The other format says the same.
  const arrow = await readRows(out, 'arrow');
  expect([...arrow.values()].map(({ values }) => values)).toEqual([...rows.values()].map(({ values }) => values));
  return { rows, carried, stderr };
}

function column(rows: ReadonlyMap<string, ReadRow>, name: string): readonly unknown[] {
  return [...rows.values()].map(({ values }) => values[name]);
}

describe('a source', () => {
  it('that is one class folder has no label, and ids without its name', async () => {
    const { rows, carried } = await extract('folder', join(demo.images, 'star'));
    expect([...rows.keys()]).toEqual(['star-000.jpg', 'star-001.jpg', 'star-002.jpg', 'star-003.jpg']);
    expect(carried).toEqual([]);
  });

  it('that is a folder of class folders has labels; given relatively it means the same', async () => {
    const { rows, carried } = await extract('relative', relative(demo.root, demo.images));
    expect(rows.size).toBe(demo.rows);
    expect(carried).toEqual([{ name: 'label', type: 'utf8' }]);
    expect(rows.get('star/star-001.jpg')?.values).toMatchObject({
      label: 'star',
      uri: join(demo.images, 'star', 'star-001.jpg'),
    });
  });

  it('that is a glob takes what matches, sorted', async () => {
    const { rows } = await extract('glob', 'images/*/*-00[12].jpg');
    expect(rows.size).toBe(20);
    expect([...rows.keys()].map(id => basename(id)).slice(0, 3)).toEqual([
      'arrow-001.jpg',
      'arrow-002.jpg',
      'bolt-001.jpg',
    ]);
    expect(new Set(column(rows, 'status'))).toEqual(new Set(['ok']));
  });

  it('that is a text file keeps its order', async () => {
    const list = join(demo.root, 'list.txt');
    const paths = ['images/star/star-002.jpg', 'images/arrow/arrow-000.jpg', 'images/nowhere.jpg'];
    await writeFile(list, `${paths.join('\n')}\n`);
    const { rows } = await extract('txt', list);
    expect([...rows.keys()]).toEqual(paths);
    expect(column(rows, 'error_code')).toEqual([null, null, 'not-found']);
  });

  it('that is a csv file carries its other columns as text', async () => {
    const list = join(demo.root, 'list.csv');
    const lines = [
      'sample_id,path,label,note',
      `a,${demo.image(0, 0)},7,"one, ""two"""`,
      `b,${demo.image(1, 0)},,Größe`,
      `c,${demo.image(2, 0)},9,"two\nlines"`,
    ];
    await writeFile(list, lines.join('\n'));
    const { rows, carried } = await extract('csv', list);
    expect([...rows.keys()]).toEqual(['a', 'b', 'c']);
    expect(carried.map(({ name }) => name)).toEqual(['label', 'note']);
    expect(column(rows, 'note')).toEqual(['one, "two"', 'Größe', 'two\nlines']);
    expect(column(rows, 'label').map(value => (value === null || value === '' ? null : String(value)))).toEqual([
      '7',
      null,
      '9',
    ]);
  });

  it('that is a jsonl file carries text, whole numbers, fractions and booleans as such', async () => {
    const list = join(demo.root, 'list.jsonl');
    const items = [
      { path: demo.image(0, 0), sample_id: 'a', label: 'arrow', year: 1999, weight: 0.25, checked: true },
      { path: demo.image(1, 0), sample_id: 'b', label: null, year: 2024, weight: 3, checked: false },
      { path: demo.image(2, 0), sample_id: 'c', label: 'cross', year: null, weight: null, checked: null },
    ];
    await writeFile(list, items.map(item => JSON.stringify(item)).join('\n'));
    const { rows, carried } = await extract('jsonl', list);
    expect(carried).toEqual([
      { name: 'label', type: 'utf8' },
      { name: 'year', type: 'int64' },
      { name: 'weight', type: 'float64' },
      { name: 'checked', type: 'bool' },
    ]);
    expect(column(rows, 'label')).toEqual(['arrow', null, 'cross']);
    expect(column(rows, 'year')).toEqual([1999n, 2024n, null]);
    expect(column(rows, 'weight')).toEqual([0.25, 3, null]);
    expect(column(rows, 'checked')).toEqual([true, false, null]);
  });

  it.skipIf(noPython)(`that is a Parquet file of pandas carries its columns' types${because(noPython)}`, async () => {
    const list = join(demo.root, 'list.parquet');
    await runPython(
      `import pandas as pd
pd.DataFrame({
  'sample_id': ['a', 'b'], 'path': given['paths'], 'label': ['x', None],
  'count': pd.array([2**53 + 1, None], dtype='Int64'), 'weight': [0.5, 1.5], 'checked': [True, False],
}).to_parquet(given['list'])
print('null')`,
      { list, paths: [demo.image(0, 0), demo.image(1, 0)] },
    );
    const { rows, carried } = await extract('parquet', list);
    expect(Object.fromEntries(carried.map(({ name, type }) => [name, type]))).toEqual({
      label: 'utf8',
      count: 'int64',
      weight: 'float64',
      checked: 'bool',
    });
    expect(column(rows, 'label')).toEqual(['x', null]);
    expect(column(rows, 'count')).toEqual([2n ** 53n + 1n, null]);
    expect(column(rows, 'weight')).toEqual([0.5, 1.5]);
    expect(column(rows, 'checked')).toEqual([true, false]);
  });

  it.skipIf(noPython)(
    `that is a Parquet file keeps every type of its columns to the last digit, in both formats${because(noPython)}`,
    async () => {
      const [list, out] = [join(demo.root, 'types.parquet'), join(demo.root, 'runs', 'types')];
      await runPython(
        `import datetime, decimal, pyarrow as pa, pyarrow.parquet as pq
pq.write_table(pa.table({
  'path': given['paths'], 'sample_id': ['a', 'b', 'c'],
  'i8': pa.array([-128, None, 127], pa.int8()), 'u16': pa.array([0, 65535, None], pa.uint16()),
  'i32': pa.array([-2**31, 2**31 - 1, None], pa.int32()), 'u32': pa.array([2**32 - 1, None, 0], pa.uint32()),
  'u64': pa.array([2**64 - 1, None, 0], pa.uint64()), 'f32': pa.array([0.1, None, 3e38], pa.float32()),
  'day': pa.array([datetime.date(1, 1, 1), None, datetime.date(9999, 12, 31)]),
  'ms': pa.array([1, None, -1], pa.timestamp('ms')), 'us': pa.array([1, None, -1], pa.timestamp('us', 'UTC')),
  'ns': pa.array([1709209800123456789, None, -1], pa.timestamp('ns', 'Europe/Berlin')),
  't32': pa.array([86399999, None, 0], pa.time32('ms')), 't64': pa.array([86399999999, None, 0], pa.time64('us')),
  'tns': pa.array([86399999999999, None, 0], pa.time64('ns')),
  'span': pa.array([-5, None, 2**62], pa.duration('ns')),
  'dec': pa.array([decimal.Decimal('-12345678.901'), None, decimal.Decimal('0.001')], pa.decimal128(20, 3)),
  'big': pa.array([decimal.Decimal(-10**70), None, decimal.Decimal(1)], pa.decimal256(76, 0)),
  'raw': pa.array([b'\\x00\\xff', None, b''], pa.binary()),
}), given['list'])
print('null')`,
        { list, paths: [0, 1, 2].map(shape => demo.image(shape, 0)) },
      );
      const names = 'i8,u16,i32,u32,u64,f32,day,ms,us,ns,t32,t64,tns,span,dec,big,raw';
      const request = [
        '--model',
        'null:8',
        '--layer',
        'features',
        '--size',
        '8x8',
        '--scale',
        '1',
        '--shard-size',
        '2',
      ];
      const { code, stderr } = await run([
        'extract',
        list,
        ...request,
        '--carry',
        names,
        '--format',
        'both',
        '--out',
        out,
      ]);
      expect([code, stderr]).toEqual([0, expect.anything()]);
      const differences = await runPython(
        `import pyarrow as pa, pyarrow.dataset as ds, pyarrow.parquet as pq
names = given['names'].split(',')
wanted = pq.read_table(given['list']).select(names)
found = []
for kind, folder in (('parquet', 'parquet'), ('ipc', 'arrow')):
    table = ds.dataset(f"{given['out']}/parts/{folder}", format=kind).to_table().select(names)
    for name in names:
        one, other = table[name].combine_chunks(), wanted[name].combine_chunks()
        if not one.equals(other):
            found.append([kind, name, str(one.type), str(other.type), str(one), str(other)])
print(json.dumps(found))`,
        { list, out, names },
      );
      expect(differences).toEqual([]);
      expect((await run(['verify', out, '--deep'])).code).toBe(0);
      const { stdout } = await run(['explain', out, 'a']);
      expect(stdout).toContain('ns 2024-02-29T12:30:00.123456789Z');
      expect(stdout).toContain('dec -12345678.901');
    },
  );

  it('with a column that is called like a layer is refused', async () => {
    const list = join(demo.root, 'clash.csv');
    await writeFile(list, `path,features\n${demo.image(0, 0)},1\n`);
    const request = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm'];
    const { code, stderr } = await run(['extract', list, ...request, '--out', join(demo.root, 'clash')]);
    expect(stderr).toContain("'features' is both");
    expect(code).toBe(2);
  });
});
