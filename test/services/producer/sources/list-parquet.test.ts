import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Table, tableFromJSON, Utf8, vectorFromArray } from 'apache-arrow';
import { expect, it } from 'vitest';
import { openSource } from '../../../../services/producer/src/source.ts';
import { writeParquet } from '../../../../shared/src/parquet.ts';
import { because, whyNot } from '../../../support/needs.ts';
import { runPython } from '../../../support/python.ts';
import { collect, describeSource, refusalOf } from './source-conformance.ts';
import { makeTemporary, writeText } from './temporary.ts';

const noPython = whyNot('python');

describeSource('a Parquet list', {
  kind: 'list',
  make: (directory, images) => {
    const rows = images.map((path, at) => ({ path, at, even: at % 2 === 0, label: `class ${at}` }));
    return writeTable(join(directory, 'list.parquet'), tableFromJSON(rows));
  },
  makeEmpty: directory => {
    const table = new Table({ path: vectorFromArray([], new Utf8()) });
    return writeTable(join(directory, 'list.parquet'), table);
  },
});

async function writeTable(path: string, table: Table): Promise<string> {
  async function* batches(): AsyncGenerator<Table['batches'][number]> {
    yield* table.batches;
  }
  await pipeline(writeParquet(batches(), { rowGroupRows: 3 }), createWriteStream(path));
  return path;
}

/** Runs Python that writes `table` with PyArrow to the path that is returned. */
async function writeWithPyArrow(table: string): Promise<string> {
  const path = join(await makeTemporary(), 'list.parquet');
  const imports = 'import datetime, decimal, pyarrow as pa, pyarrow.parquet as pq';
  await runPython(`${imports}\npq.write_table(${table}, given)\nprint('null')`, path);
  return path;
}

it.skipIf(noPython)(
  `keeps the types that PyArrow wrote and carries what is nested as JSON${because(noPython)}`,
  async () => {
    const path = await writeWithPyArrow(`pa.table({
    'sample_id': pa.array([5, 6], pa.int32()),
    'image_path': pa.array(['1.jpg', '2.jpg'], pa.large_string()),
    'u8': pa.array([255, None], pa.uint8()),
    'i64': pa.array([-2**63, 2**63 - 1], pa.int64()),
    'u64': pa.array([2**64 - 1, 0], pa.uint64()),
    'f16': pa.array([0.5, None], pa.float16()),
    'f32': pa.array([0.25, -1], pa.float32()),
    'flag': pa.array([True, None]),
    'label': pa.array(['cat', None]).dictionary_encode(),
    'day': pa.array([datetime.date(2024, 2, 29), None]),
    'taken': pa.array([datetime.datetime(2024, 2, 29, 12, 30), None], pa.timestamp('us')),
    'box': pa.array([[1, 2], None], pa.list_(pa.int64())),
    'meta': pa.array([{'a': 1.5, 'b': 'x'}, None]),
    'seen': pa.array([[datetime.datetime(1970, 1, 1, 0, 0, 1)], None], pa.list_(pa.timestamp('ms'))),
    'none': pa.nulls(2),
  })`);
    const source = await openSource(path);
    expect(source.carried.map(column => column.type)).toEqual([
      ...['uint8', 'int64', 'uint64', 'float32', 'float32', 'bool', 'utf8'],
      ...['date32[day]', 'timestamp[us]', 'utf8', 'utf8', 'utf8', 'utf8'],
    ]);
    const samples = await collect(source);
    expect(samples.map(sample => sample.sampleId)).toEqual(['5', '6']);
    expect(samples.map(sample => sample.carried)).toEqual([
      [
        255,
        -(2n ** 63n),
        18446744073709551615n,
        0.5,
        0.25,
        true,
        'cat',
        19782,
        1709209800000000n,
        '[1,2]',
        '{"a":1.5,"b":"x"}',
        '[1000]',
        null,
      ],
      [null, 2n ** 63n - 1n, 0n, null, -1, null, null, null, null, null, null, null, null],
    ]);
  },
);

it.skipIf(noPython)(
  `leaves out, by name, bytes that nobody asked for and what no column holds${because(noPython)}`,
  async () => {
    const path = await writeWithPyArrow(
      `pa.table({'path': ['1.jpg'], 'pixels': pa.array([b'xy']), 'times': pa.array([[datetime.time(1)]])})`,
    );
    const source = await openSource(path);
    expect(source.carried).toEqual([]);
    expect(source.notes?.join('\n')).toMatch(
      /columns that are not carried: `pixels` of Binary, which --carry takes; `times` of List<.*>, which no column/,
    );
    const wanted = await openSource(path, { carry: ['pixels'] });
    expect(wanted.carried).toEqual([{ name: 'pixels', type: 'binary' }]);
    expect((await collect(wanted))[0]?.carried).toEqual([new Uint8Array([120, 121])]);
  },
);

it.skipIf(noPython)(
  `keeps timestamps with unit and zone, times, durations, decimals and bytes to the last digit${because(noPython)}`,
  async () => {
    const path = await writeWithPyArrow(`pa.table({
    'path': ['1.jpg', '2.jpg'],
    'ns': pa.array([1709209800123456789, None], pa.timestamp('ns', 'Europe/Berlin')),
    's': pa.array([-1, 0], pa.timestamp('s')),
    't32': pa.array([86399999, None], pa.time32('ms')),
    't64': pa.array([86399999999, 1], pa.time64('us')),
    'span': pa.array([-5, None], pa.duration('us')),
    'small': pa.array([decimal.Decimal('-12.345'), None], pa.decimal128(10, 3)),
    'large': pa.array([decimal.Decimal(10**50), decimal.Decimal(-1)], pa.decimal256(60, 0)),
  })`);
    const source = await openSource(path);
    expect(source.carried.map(column => column.type)).toEqual([
      ...['timestamp[ns, tz=Europe/Berlin]', 'timestamp[ms]', 'time32[ms]', 'time64[us]', 'duration[us]'],
      ...['decimal128(10, 3)', 'decimal256(60, 0)'],
    ]);
    expect((await collect(source)).map(({ carried }) => carried)).toEqual([
      [1709209800123456789n, -1000n, 86399999, 86399999999n, -5n, -12345n, 10n ** 50n],
      [null, 0n, null, 1n, null, null, -1n],
    ]);
  },
);

it.skipIf(noPython)(`reads a list as the run has it that is extended${because(noPython)}`, async () => {
  const path = await writeWithPyArrow(
    `pa.table({'path': ['1.jpg'], 'i32': pa.array([7], pa.int32()), 'at': pa.array([0], pa.timestamp('us'))})`,
  );
  const recorded = [
    { name: 'i32', type: 'int64' },
    { name: 'at', type: 'utf8' },
  ];
  const source = await openSource(path, { recorded });
  expect(source.carried).toEqual(recorded);
  expect((await collect(source))[0]?.carried).toEqual([7n, '1970-01-01T00:00:00.000Z']);
});

it('refuses a path column of numbers', async () => {
  const path = await writeTable(join(await makeTemporary(), 'list.parquet'), tableFromJSON([{ image: 1 }]));
  expect((await refusalOf(openSource(path))).message).toContain('paths as text in `image`');
});

it('refuses a row without a path, naming it', async () => {
  const rows = ['1', '2', '3', null, '5'].map(path => ({ path }));
  const path = await writeTable(join(await makeTemporary(), 'list.parquet'), tableFromJSON(rows));
  expect((await refusalOf(openSource(path).then(collect))).message).toContain('row 4');
});

it('refuses a file that is no Parquet', async () => {
  const path = await writeText(join(await makeTemporary(), 'list.parquet'), 'path\n1.jpg\n');
  const { code, message } = await refusalOf(openSource(path));
  expect(code).toBe('source-unreadable');
  expect(message).toContain(path);
});
