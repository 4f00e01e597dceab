// What we write, as others read it: PyArrow, DuckDB, Polars and pandas, by the very snippets of the output's own README.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { finishRun } from '../../shared/src/finish-run.ts';
import { decodeHalf, encodeHalf } from '../../shared/src/half-float.ts';
import type { Format } from '../../shared/src/request.ts';
import { sizeOfShape } from '../../shared/src/tensor.ts';
import { verifyRun } from '../../shared/src/verify-run.ts';
import { skipAllWithout } from '../support/needs.ts';
import { runPython } from '../support/python.ts';
import {
  carriedOf,
  createSmallRun,
  featureValue,
  publishShards,
  type SmallRun,
  type SmallRunOptions,
} from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

skipAllWithout('python');

/** 23 rows in six shards; all of the third failed, and some others. */
const FAILED_ROWS = [0, 8, 9, 10, 11, 17];
const ROWS = 23;

async function finishedRun(options: SmallRunOptions = {}): Promise<SmallRun> {
  const small = await createSmallRun(await temporaryFolder(), { rows: ROWS, failedRows: FAILED_ROWS, ...options });
  await publishShards(small);
  await finishRun(small.storage, small.run);
  return small;
}

interface Snippet {
  /** The line above the code: it names the tool. */
  readonly title: string;
  readonly language: string;
  readonly code: string;
}

/** The fenced blocks of the output's README.md. */
async function snippetsOf(small: SmallRun): Promise<readonly Snippet[]> {
  const text = await readFile(join(small.root, 'README.md'), 'utf8');
  return [...text.matchAll(/^(.+)\n```(\w+)\n([\s\S]*?)\n```$/gm)].map(([, title = '', language = '', code = '']) => {
    return { title, language, code };
  });
}

async function snippetFor(small: SmallRun, tool: string): Promise<Snippet> {
  const snippet = (await snippetsOf(small)).find(({ title }) => title.startsWith(tool));
  if (snippet === undefined) throw new Error(`Expected a snippet for ${tool}`);
  return snippet;
}

/** Runs a Python snippet as pasted in the run directory, then `more`, which prints what it left behind. */
async function pasted<T>(small: SmallRun, tool: string, more: string): Promise<T> {
  const { code, language } = await snippetFor(small, tool);
  expect(language).toBe('python');
  return runPython<T>(`${code}\n${more}`, null, { cwd: small.root });
}

function okRows(small: SmallRun): readonly number[] {
  return small.samples.map((_, row) => row).filter(row => !small.failedRows.has(row));
}

function idsOf(small: SmallRun, rows: readonly number[]): readonly string[] {
  return rows.map(row => small.samples[row]?.sampleId ?? '');
}

/** A column's values of some rows, one list a row. */
function valuesOf(small: SmallRun, column: number, rows: readonly number[]): readonly (readonly number[])[] {
  const size = sizeOfShape(small.run.columns[column]?.shape ?? []);
  return rows.map(row => Array.from({ length: size }, (_, index) => featureValue(row, column, index)));
}

describe.each<Format>(['parquet', 'arrow', 'both'])('an output of format %s', format => {
  it('is read by PyArrow as pasted: NumPy arrays of the layer’s shape, in the order of the manifest', async () => {
    const small = await finishedRun({ format });
    const read = await pasted<{
      shape: number[];
      values: number[][];
      ids: string[];
      types: string[];
      flat: number[][];
    }>(
      small,
      'PyArrow',
      `print(json.dumps({"shape": features.shape, "values": features.reshape(len(features), -1).tolist(),
  "ids": table["sample_id"].to_pylist(), "types": [str(table.schema.field(n).type) for n in ("block/conv", "avg_pool")],
  "flat": table["avg_pool"].to_pylist()}))`,
    );
    const rows = okRows(small);
    expect(read.types).toEqual([
      'extension<arrow.fixed_shape_tensor[value_type=float, shape=[4,4,8]]>',
      'fixed_size_list<item: float>[16]',
    ]);
    expect(read.shape).toEqual([rows.length, 4, 4, 8]);
    expect(read.ids).toEqual(idsOf(small, rows));
    expect(read.values).toEqual(valuesOf(small, 0, rows));
    expect(read.flat).toEqual(valuesOf(small, 1, rows));
  });

  it('is read by Polars as pasted, with the rows that are ok', async () => {
    const small = await finishedRun({ format });
    const read = await pasted<{ ids: string[]; values: number[]; labels: (string | null)[] }>(
      small,
      'Polars',
      `column = frame["avg_pool"]
storage = column.ext.storage() if hasattr(column, "ext") and column.dtype.base_type().__name__ == "Extension" else column
print(json.dumps({"ids": frame["sample_id"].to_list(), "values": [list(v) for v in storage.to_list()], "labels": frame["label"].to_list()}))`,
    );
    const rows = okRows(small);
    expect(read.ids).toEqual(idsOf(small, rows));
    expect(read.values).toEqual(valuesOf(small, 1, rows));
    expect(read.labels).toEqual(rows.map(row => carriedOf(row)[0]));
  });

  it('is read by pandas as pasted: one array of the layer’s shape', async () => {
    const small = await finishedRun({ format });
    const read = await pasted<{ shape: number[]; values: number[][]; ids: string[]; dtype: string }>(
      small,
      'pandas',
      `print(json.dumps({"shape": features.shape, "values": features.reshape(len(features), -1).tolist(),
  "ids": frame["sample_id"].tolist(), "dtype": str(features.dtype)}))`,
    );
    const rows = okRows(small);
    expect(read).toEqual({
      shape: [rows.length, 4, 4, 8],
      values: valuesOf(small, 0, rows),
      ids: idsOf(small, rows),
      dtype: 'float32',
    });
  });
});

describe('DuckDB', () => {
  it.each<Format>(['parquet', 'both'])('reads an output of format %s as pasted', async format => {
    const small = await finishedRun({ format });
    const { code, language } = await snippetFor(small, 'DuckDB');
    expect(language).toBe('sql');
    const rows = await runPython<readonly (readonly [string, readonly number[]])[]>(
      'import duckdb\nprint(json.dumps(duckdb.sql(given).fetchall()))',
      code,
      { cwd: small.root },
    );
    const first = okRows(small).slice(0, 5);
    expect(rows.map(([id]) => id)).toEqual(idsOf(small, first));
    expect(rows.map(([, values]) => values)).toEqual(valuesOf(small, 0, first));
  });

  it('reads an output of Arrow parts as pasted, through PyArrow', async () => {
    const small = await finishedRun({ format: 'arrow' });
    const { code } = await snippetFor(small, 'DuckDB');
    const counts = await runPython<readonly (readonly [string, number])[]>(
      `import contextlib, io
shown = io.StringIO()
with contextlib.redirect_stdout(shown):
    exec(given)
print(json.dumps(duckdb.sql("SELECT status, count(*) FROM parts GROUP BY status ORDER BY status").fetchall()))`,
      code,
      { cwd: small.root },
    );
    expect(counts).toEqual([
      ['failed', FAILED_ROWS.length],
      ['ok', ROWS - FAILED_ROWS.length],
    ]);
  });

  it('runs every query of queries.sql as pasted', async () => {
    const small = await finishedRun();
    const queries = await readFile(join(small.root, 'queries.sql'), 'utf8');
    const results = await runPython<readonly (readonly (readonly unknown[])[])[]>(
      `import duckdb
results = [duckdb.execute(s.query).fetchall() for s in duckdb.extract_statements(given)]
print(json.dumps(results))`,
      queries,
      { cwd: small.root },
    );
    // After those that make the views.
    expect(results).toHaveLength(5);
    const [counts, failed, nearest] = results.slice(2);
    expect(counts).toEqual([
      ['ok', null, ROWS - FAILED_ROWS.length],
      ['failed', 'corrupt-image', FAILED_ROWS.length],
    ]);
    expect(failed).toEqual(idsOf(small, FAILED_ROWS).map(id => [id, 'corrupt-image', 'ends before its last row']));
    expect(nearest).toHaveLength(10);
    const query = [...idsOf(small, okRows(small))].sort()[0];
    expect(nearest?.[0]?.[0]).toBe(query);
    expect(nearest?.[0]?.[1]).toBeCloseTo(1, 5);
    // DuckDB sorts NaN before every number: a failed row would come first.
    const failedIds = new Set<unknown>(idsOf(small, FAILED_ROWS));
    expect(nearest?.filter(([id, cosine]) => failedIds.has(id) || Number.isNaN(cosine))).toEqual([]);
  });

  it('reads carried columns with their types', async () => {
    const small = await finishedRun();
    const read = await runPython<{ types: Record<string, string>; rows: unknown[][] }>(
      `import duckdb
table = duckdb.sql("SELECT label, taken_at, weight, checked, width FROM read_parquet('parts/**/*.parquet')")
print(json.dumps({"types": dict(zip(table.columns, map(str, table.types))),
  "rows": [[a, None if b is None else str(b), c, d, e] for a, b, c, d, e in table.fetchall()]}))`,
      null,
      { cwd: small.root },
    );
    expect(read.types).toEqual({
      label: 'VARCHAR',
      taken_at: 'BIGINT',
      weight: 'DOUBLE',
      checked: 'BOOLEAN',
      width: 'INTEGER',
    });
    expect(read.rows).toEqual(
      small.samples.map(({ carried }, row) => [
        ...carried.map(value => (typeof value === 'bigint' ? String(value) : value)),
        small.failedRows.has(row) ? null : 640 + row,
      ]),
    );
  });
});

describe('all rows, failed ones with them,', () => {
  const WHOLE = `import glob, pyarrow as pa, pyarrow.dataset as ds
kind = {"parquet": "parquet", "arrow": "ipc"}[given]
parts = sorted(glob.glob(f"parts/**/*.{given}", recursive=True))
table = ds.dataset(parts, format=kind).to_table()
`;

  it.each(['parquet', 'arrow'] as const)('are one table of %s in the order of the manifest', async format => {
    const small = await finishedRun({ format });
    const read = await runPython<{
      ids: string[];
      uris: string[];
      nothing: boolean[];
      parts: number;
      columns: string[];
    }>(
      `${WHOLE}
import numpy as np
values = table["block/conv"].combine_chunks().to_numpy_ndarray()
print(json.dumps({"ids": table["sample_id"].to_pylist(), "uris": table["uri"].to_pylist(), "parts": len(parts),
  "nothing": np.isnan(values).all(axis=(1, 2, 3)).tolist(), "columns": table.column_names}))`,
      format,
      { cwd: small.root },
    );
    expect(read.parts).toBe(6);
    expect(read.ids).toEqual(small.samples.map(({ sampleId }) => sampleId));
    expect(read.uris).toEqual(small.samples.map(({ uri }) => uri));
    expect(read.nothing).toEqual(small.samples.map((_, row) => small.failedRows.has(row)));
    expect(read.columns.slice(-6)).toEqual(['label', 'taken_at', 'weight', 'checked', 'block/conv', 'avg_pool']);
  });

  it.each(['parquet', 'arrow'] as const)('keep carried values and their nulls in %s', async format => {
    const small = await finishedRun({ format });
    const read = await runPython<{ rows: unknown[][]; types: string[] }>(
      `${WHOLE}
names = ["label", "taken_at", "weight", "checked"]
columns = [table[n].to_pylist() if n != "taken_at" else [None if v is None else str(v) for v in table[n].to_pylist()] for n in names]
print(json.dumps({"rows": list(zip(*columns)), "types": [str(table.schema.field(n).type) for n in names]}))`,
      format,
      { cwd: small.root },
    );
    expect(read.types).toEqual(['string', 'int64', 'double', 'bool']);
    expect(read.rows).toEqual(
      small.samples.map(({ carried }) => carried.map(value => (typeof value === 'bigint' ? String(value) : value))),
    );
  });

  it.each(['parquet', 'arrow'] as const)(
    'restore the tensor type from a %s part of failed rows alone',
    async format => {
      const small = await finishedRun({ format });
      const read = await runPython<{ kind: string; shape: number[]; nulls: number; rows: number; nan: boolean }>(
        `${WHOLE}
part = ds.dataset(parts[2:3], format=kind).to_table()
column = part["block/conv"].combine_chunks()
import numpy as np
print(json.dumps({"kind": type(column).__name__, "shape": list(column.type.shape), "nulls": column.null_count,
  "rows": part.num_rows, "nan": bool(np.isnan(column.to_numpy_ndarray()).all())}))`,
        format,
        { cwd: small.root },
      );
      expect(read).toEqual({ kind: 'FixedShapeTensorArray', shape: [4, 4, 8], nulls: 0, rows: 4, nan: true });
    },
  );

  it.each(['parquet', 'arrow'] as const)('carry fingerprint and recipe in each %s part', async format => {
    const small = await finishedRun({ format });
    const read = await runPython<{ fingerprint: string; recipe: unknown }[]>(
      `${WHOLE}
metadata = [ds.dataset([p], format=kind).schema.metadata for p in parts]
print(json.dumps([{"fingerprint": m[b"layertap.fingerprint"].decode(), "recipe": json.loads(m[b"layertap.recipe"])} for m in metadata]))`,
      format,
      { cwd: small.root },
    );
    expect(read).toEqual(
      Array.from({ length: 6 }, () => ({ fingerprint: small.run.fingerprint, recipe: small.run.request.recipe })),
    );
  });
});

describe('an output of two formats', () => {
  it('has a folder for each, which is one table by itself', async () => {
    const small = await finishedRun({ format: 'both' });
    const ids = await runPython<readonly (readonly string[])[]>(
      `import pyarrow.dataset as ds
tables = [ds.dataset(f"parts/{name}", format=kind).to_table() for name, kind in (("parquet", "parquet"), ("arrow", "ipc"))]
print(json.dumps([table["sample_id"].to_pylist() for table in tables]))`,
      null,
      { cwd: small.root },
    );
    const all = small.samples.map(({ sampleId }) => sampleId);
    expect(ids).toEqual([all, all]);
  });
});

describe('a run of the first part schema', () => {
  it.each<Format>(['parquet', 'arrow', 'both'])('of format %s is read as pasted by its own README', async format => {
    const small = await finishedRun({ format, partSchema: 1 });
    const rows = okRows(small);
    const read = await pasted<unknown>(
      small,
      'PyArrow',
      'print(json.dumps([features.reshape(len(features), -1).tolist(), table["avg_pool"].null_count]))',
    );
    expect(read).toEqual([valuesOf(small, 0, rows), 0]);
    expect((await verifyRun(small.storage, small.run, { deep: true })).damages).toEqual([]);
  });
});

describe('tensors as plain lists', () => {
  it.each<Format>(['parquet', 'arrow'])('are read as pasted from %s, in their shape', async format => {
    const small = await finishedRun({ format, request: { tensors: 'plain' } });
    const rows = okRows(small);
    for (const tool of ['PyArrow', 'pandas']) {
      const read = await pasted(
        small,
        tool,
        'print(json.dumps([features.shape, features.reshape(len(features), -1).tolist()]))',
      );
      expect(read).toEqual([[rows.length, 4, 4, 8], valuesOf(small, 0, rows)]);
    }
  });
});

describe('a layer whose name is hard to quote', () => {
  const NAMES = ['model/block_1/conv:0', `it's "said"\\n`, 'überlagert ✓ 层\t`a`|b'];

  it.each(NAMES)('named %j is read by all snippets as pasted', async name => {
    const columns = [{ name, dtype: 'float32', shape: [2, 3] }] as const;
    const small = await finishedRun({ rows: 6, failedRows: [1], format: 'both', columns });
    const rows = okRows(small);
    const expected = valuesOf(small, 0, rows);
    const flat = 'print(json.dumps(features.reshape(len(features), -1).tolist()))';
    expect(await pasted(small, 'PyArrow', flat)).toEqual(expected);
    expect(await pasted(small, 'pandas', flat)).toEqual(expected);
    expect(await pasted(small, 'Polars', 'print(json.dumps(frame.columns[-1]))')).toBe(name);
    const queries = await readFile(join(small.root, 'queries.sql'), 'utf8');
    const { code } = await snippetFor(small, 'DuckDB');
    const results = await runPython<readonly (readonly (readonly unknown[])[])[]>(
      `import duckdb
print(json.dumps([duckdb.execute(s.query).fetchall() for text in given for s in duckdb.extract_statements(text)]))`,
      [code, queries],
      { cwd: small.root },
    );
    expect(results[0]?.map(([, values]) => values)).toEqual(expected);
    expect(results.at(-1)).toHaveLength(rows.length);
  });
});

describe('a layer of one value', () => {
  it.each<Format>(['parquet', 'arrow'])('is a column of shape [1] in %s', async format => {
    const columns = [{ name: 'score', dtype: 'float32', shape: [1] }] as const;
    const small = await finishedRun({ format, columns });
    const rows = okRows(small);
    const shapeAndValues = 'print(json.dumps([features.shape, features.tolist()]))';
    for (const tool of ['PyArrow', 'pandas']) {
      expect(await pasted(small, tool, shapeAndValues)).toEqual([[rows.length, 1], valuesOf(small, 0, rows)]);
    }
  });
});

describe('a run of float16', () => {
  const columns = [
    { name: 'block/conv@mean', dtype: 'float16', shape: [4, 2] },
    { name: 'avg_pool', dtype: 'float16', shape: [5] },
  ] as const;

  function halvesOf(small: SmallRun, column: number, rows: readonly number[]): readonly (readonly number[])[] {
    return valuesOf(small, column, rows).map(values => [...decodeHalf(encodeHalf(Float32Array.from(values)))]);
  }

  async function halfRun(format: Format): Promise<SmallRun> {
    return finishedRun({ format, columns, request: { dtype: 'float16' } });
  }

  it.each<Format>(['parquet', 'arrow'])('is read by PyArrow, pandas and Polars as pasted from %s', async format => {
    const small = await halfRun(format);
    const rows = okRows(small);
    const arrays = await pasted<unknown>(
      small,
      'PyArrow',
      `kind = str(table.schema.field("block/conv@mean").type)
print(json.dumps([kind, str(features.dtype), features.shape, features.reshape(len(features), -1).tolist()]))`,
    );
    expect(arrays).toEqual([
      'extension<arrow.fixed_shape_tensor[value_type=halffloat, shape=[4,2]]>',
      'float16',
      [rows.length, 4, 2],
      halvesOf(small, 0, rows),
    ]);
    const frame = await pasted<unknown>(
      small,
      'pandas',
      'print(json.dumps([str(features.dtype), features.reshape(len(features), -1).tolist()]))',
    );
    expect(frame).toEqual(['float16', halvesOf(small, 0, rows)]);
    const polars = await pasted<unknown>(
      small,
      'Polars',
      `column = frame["avg_pool"]
storage = column.ext.storage() if hasattr(column, "ext") and column.dtype.base_type().__name__ == "Extension" else column
print(json.dumps([list(v) for v in storage.to_list()]))`,
    );
    expect(polars).toEqual(halvesOf(small, 1, rows));
  });

  it('is read by DuckDB as pasted, and searched by every query', async () => {
    const small = await halfRun('parquet');
    const { code } = await snippetFor(small, 'DuckDB');
    const queries = await readFile(join(small.root, 'queries.sql'), 'utf8');
    const results = await runPython<readonly (readonly (readonly unknown[])[])[]>(
      `import duckdb
print(json.dumps([duckdb.execute(s.query).fetchall() for text in given for s in duckdb.extract_statements(text)]))`,
      [code, queries],
      { cwd: small.root },
    );
    expect(results[0]?.map(([, values]) => values)).toEqual(halvesOf(small, 0, okRows(small).slice(0, 5)));
    expect(results.at(-1)).toHaveLength(10);
  });

  it('is clean for verification', async () => {
    const small = await halfRun('both');
    expect((await verifyRun(small.storage, small.run)).damages).toEqual([]);
  });
});

describe('a run in which every row failed', () => {
  it.each<Format>(['parquet', 'arrow'])('is read as pasted in %s, with no rows', async format => {
    const small = await finishedRun({ rows: 5, failedRows: [0, 1, 2, 3, 4], format });
    const shape = 'print(json.dumps(features.shape))';
    expect(await pasted(small, 'PyArrow', shape)).toEqual([0, 4, 4, 8]);
    expect(await pasted(small, 'pandas', shape)).toEqual([0, 4, 4, 8]);
    expect(await pasted(small, 'Polars', 'print(json.dumps(frame.height))')).toBe(0);
  });
});
