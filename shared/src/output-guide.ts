// README.md and queries.sql of an output directory: snippets that work as pasted, made for the very columns of the run.
import { compiledOf } from './compiled-file.ts';
import { COMPILED_FOLDER } from './compiled-record.ts';
import type { RunSummary } from './finish-run.ts';
import { engineWarnings, type ModelRequest, modelsOf } from './request.ts';
import { layoutOf } from './row-schema.ts';
import { partsFolder, type RunRecord } from './run.ts';
import { type FeatureSpec, featureField, sizeOfShape } from './tensor.ts';

export function outputReadme(run: RunRecord, summary: RunSummary): string {
  const columns = run.columns.map(
    column => `| ${codeCell(column.name)} | ${column.shape.join(' × ')} | ${column.dtype} |`,
  );
  return `# Features of ${summary.rows} images

${summary.ok} rows are \`ok\`, ${summary.failed} \`failed\` (their \`error_code\` and \`error_message\` say why). One row per image, in the order of the manifest;
\`sample_id\` names the image, \`uri\` is where it was, \`sha256\` is the hash of its bytes.

| column | shape per image | type |
|---|---|---|
${columns.join('\n')}

${modelsOf(run.request).map(describeModel).join('\n')}
${engineWarnings(run.request)
  .map(warning => `\n**Warning:** ${warning}\n`)
  .join(
    '',
  )}${compiledNote(run)}\`run.json\` holds the whole request, \`receipts/\` what was done for each part. Check all of it from where layertap is installed: \`npx layertap verify DIRECTORY\`.

## Read it

Run these from this directory. ${failedNote(run)}: take \`status = 'ok'\` first.
${run.request.format === 'arrow' ? arrowSnippets(run) : parquetSnippets(run)}`;
}

function globOf(run: RunRecord, format: 'parquet' | 'arrow'): string {
  return `${partsFolder(run, format)}/**/*.${format}`;
}

function failedNote(run: RunRecord): string {
  return layoutOf(run).partSchema === 1
    ? 'A failed row has no features'
    : 'A failed row holds NaN in all of its features, which some readers sort before every number';
}

/** From a column of a PyArrow table. */
function numpyOf(run: RunRecord, column: FeatureSpec): string {
  const name = pythonText(column.name);
  const typed = featureField(column, layoutOf(run)).metadata.has('ARROW:extension:name');
  const values = typed
    ? 'to_numpy_ndarray()'
    : `flatten().to_numpy(zero_copy_only=False).reshape(${['-1', ...column.shape].join(', ')})`;
  return `table[${name}].combine_chunks().${values}  # ${numpyShape(column)}`;
}

function describeModel({ model, modelName, engine, recipe }: ModelRequest): string {
  const columns = modelName === undefined ? '' : ` gives the columns ${code(`${modelName}/…`)}`;
  return `Model ${code(model)}${columns} on the engine \`${engine}\`; recipe \`${JSON.stringify(recipe)}\`.`;
}

function compiledNote(run: RunRecord): string {
  if (compiledOf(run).length === 0) return '';
  return `\`${COMPILED_FOLDER}/\` holds the model as it was computed, cut at the layers and compiled to ONNX: workers that come later take it from there.\n`;
}

function parquetSnippets(run: RunRecord): string {
  const column = firstColumn(run);
  return `
PyArrow, each feature column as one NumPy array:
\`\`\`python
import glob, pyarrow.dataset as ds
parts = sorted(glob.glob("${globOf(run, 'parquet')}", recursive=True))
table = ds.dataset(parts, format="parquet").to_table(filter=ds.field("status") == "ok")
features = ${numpyOf(run, column)}
\`\`\`

DuckDB (more in \`queries.sql\`):
\`\`\`sql
SELECT sample_id, ${sqlName(column.name)} FROM read_parquet('${globOf(run, 'parquet')}') WHERE status = 'ok' LIMIT 5;
\`\`\`

Polars:
\`\`\`python
import polars as pl
frame = pl.scan_parquet("${globOf(run, 'parquet')}").filter(pl.col("status") == "ok").collect()
\`\`\`

pandas:
\`\`\`python
import glob, numpy as np, pandas as pd
parts = sorted(glob.glob("${globOf(run, 'parquet')}", recursive=True))
frame = pd.read_parquet(parts, filters=[("status", "==", "ok")])
features = np.array(frame[${pythonText(column.name)}].tolist(), dtype="${column.dtype}").reshape(${['-1', ...column.shape].join(', ')})
\`\`\`
`;
}

function arrowSnippets(run: RunRecord): string {
  const column = firstColumn(run);
  return `
PyArrow, each feature column as one NumPy array:
\`\`\`python
import glob, pyarrow.dataset as ds
parts = sorted(glob.glob("${globOf(run, 'arrow')}", recursive=True))
table = ds.dataset(parts, format="ipc").to_table(filter=ds.field("status") == "ok")
features = ${numpyOf(run, column)}
\`\`\`

DuckDB, through PyArrow:
\`\`\`python
import duckdb, glob, pyarrow.dataset as ds
parts = ds.dataset(sorted(glob.glob("${globOf(run, 'arrow')}", recursive=True)), format="ipc")
duckdb.sql("SELECT status, count(*) FROM parts GROUP BY status").show()
\`\`\`

Polars:
\`\`\`python
import polars as pl
frame = pl.scan_ipc("${globOf(run, 'arrow')}").filter(pl.col("status") == "ok").collect()
\`\`\`

pandas:
\`\`\`python
import glob, numpy as np, pyarrow.dataset as ds
parts = sorted(glob.glob("${globOf(run, 'arrow')}", recursive=True))
frame = ds.dataset(parts, format="ipc").to_table(filter=ds.field("status") == "ok").to_pandas()
features = np.array(frame[${pythonText(column.name)}].tolist(), dtype="${column.dtype}").reshape(${['-1', ...column.shape].join(', ')})
\`\`\`
`;
}

/** Queries for DuckDB; with Arrow parts alone there is nothing that it reads by itself. */
export function outputQueries(run: RunRecord): string {
  const column = firstColumn(run);
  const size = sizeOfShape(column.shape);
  if (run.request.format === 'arrow') {
    return '-- DuckDB reads no Arrow files by itself: see README.md for the way through PyArrow, or extract with --format both.\n';
  }
  return `-- Run from this directory: duckdb -c ".read queries.sql"

CREATE OR REPLACE TEMP VIEW parts AS SELECT * FROM read_parquet('${globOf(run, 'parquet')}');
-- Only rows with features: ${failedNote(run).toLowerCase()}.
CREATE OR REPLACE TEMP VIEW ok AS SELECT * FROM parts WHERE status = 'ok';

-- How many rows, and why some failed
SELECT status, error_code, count(*) AS images FROM parts GROUP BY ALL ORDER BY images DESC;

-- The failed images
SELECT sample_id, error_code, error_message FROM parts WHERE status = 'failed' LIMIT 20;

-- The ten images nearest to the first one, by cosine, in the layer ${oneLine(column.name)}
WITH features AS (
  SELECT sample_id, ${sqlName(column.name)}::FLOAT[${size}] AS v FROM ok
), query AS (
  SELECT sample_id, v FROM features ORDER BY sample_id LIMIT 1
)
SELECT f.sample_id, array_cosine_similarity(f.v, q.v) AS cosine
FROM features f, query q ORDER BY cosine DESC, f.sample_id LIMIT 10;
`;
}

/** A layer's name may hold any character: each of these keeps it whole in its own language. */
function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** JSON's escapes are Python's. */
function pythonText(name: string): string {
  return JSON.stringify(name);
}

/** Markdown's code span ends at as many backticks as it began with. */
function code(text: string): string {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map(ticks => ticks.length));
  const fence = '`'.repeat(longest + 1);
  const space = longest > 0 ? ' ' : '';
  return `${fence}${space}${oneLine(text)}${space}${fence}`;
}

function codeCell(text: string): string {
  return code(text).replaceAll('|', '\\|');
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}

function numpyShape(column: FeatureSpec): string {
  return `(rows, ${column.shape.join(', ')})`;
}

function firstColumn(run: RunRecord): FeatureSpec {
  const column = run.columns[0];
  if (column === undefined) throw new Error('Expected a run with at least one column');
  return column;
}
