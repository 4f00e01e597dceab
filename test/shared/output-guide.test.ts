// README.md and queries.sql of an output: made for the columns of the run, whatever their names. Run in interop.test.ts.
import { describe, expect, it } from 'vitest';
import type { RunSummary } from '../../shared/src/finish-run.ts';
import { outputQueries, outputReadme } from '../../shared/src/output-guide.ts';
import { noSeconds } from '../../shared/src/receipt.ts';
import type { RunRecord } from '../../shared/src/run.ts';
import { runOf } from '../support/small-run.ts';

function summaryOf(run: RunRecord): RunSummary {
  return {
    rows: 10,
    ok: 8,
    failed: 2,
    failures: {},
    skipped: [],
    warnings: {},
    imagesPerSecond: 1,
    wallSeconds: 10,
    seconds: noSeconds(),
    engine: 'onnx',
    shards: run.shards,
    files: 3,
    bytes: 1000,
    workers: [],
    peakBytes: 0,
    versions: {},
    columns: [],
    fingerprint: run.fingerprint,
  };
}

function readmeOf(run: RunRecord): string {
  return outputReadme(run, summaryOf(run));
}

function runWith(name: string, shape: readonly number[] = [16]): RunRecord {
  return runOf({ columns: [{ name, dtype: 'float32', shape }] });
}

describe('the README of an output', () => {
  it('tells counts, columns with their shapes, model, engine and recipe', () => {
    const readme = readmeOf(runOf());
    expect(readme).toContain('# Features of 10 images');
    expect(readme).toContain('8 rows are `ok`, 2 `failed`');
    expect(readme).toContain('| `block/conv` | 4 × 4 × 8 | float32 |');
    expect(readme).toContain('| `avg_pool` | 16 | float32 |');
    expect(readme).toContain('Model `/models/demo.json` on the engine `onnx`');
    expect(readme).toContain('"resize":"pillow:bilinear"');
  });

  it('has a snippet for PyArrow, DuckDB, Polars and pandas in every format', () => {
    for (const format of ['parquet', 'arrow', 'both'] as const) {
      const readme = readmeOf(runOf({ format }));
      for (const tool of ['PyArrow', 'DuckDB', 'Polars', 'pandas']) expect(readme).toContain(tool);
      expect(readme).toContain(
        { parquet: '"parts/**/*.parquet', arrow: '"parts/**/*.arrow', both: '"parts/parquet/**/*.parquet' }[format],
      );
    }
  });

  it('keeps a name with a bar or backticks in its table cell', () => {
    expect(readmeOf(runWith('a|b'))).toContain('| `a\\|b` | 16 |');
    expect(readmeOf(runWith('a`b``c'))).toContain('| ``` a`b``c ``` | 16 |');
    expect(readmeOf(runWith('a\nb'))).toContain('| `a b` | 16 |');
  });

  it('quotes names as each language does', () => {
    const readme = readmeOf(runWith('say "hi"\\n'));
    expect(readme).toContain('table["say \\"hi\\"\\\\n"]');
    expect(readme).toContain('SELECT sample_id, "say ""hi""\\n" FROM');
  });
});

describe('the queries of an output', () => {
  it('cast the first column to an array of its size', () => {
    expect(outputQueries(runOf())).toContain('"block/conv"::FLOAT[128]');
    expect(outputQueries(runWith('x', [1]))).toContain('"x"::FLOAT[1]');
  });

  it('keep a name of two lines out of the code that follows a comment', () => {
    const comment = outputQueries(runWith('a\nDROP TABLE b'))
      .split('\n')
      .find(line => line.startsWith('-- The ten images'));
    expect(comment).toContain('in the layer a DROP TABLE b');
  });

  it('say where to look when there are Arrow parts alone', () => {
    expect(outputQueries(runOf({ format: 'arrow' }))).toMatch(/^-- DuckDB reads no Arrow files by itself/);
  });
});
