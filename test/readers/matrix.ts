// Which reader, of which version, reads which column: tried on real runs, beside what is known of each.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeFailure, runCommand } from '../../setup/src/command.ts';
import { type PythonPackageSet, preparePythonPackages } from '../../setup/src/python-packages.ts';
import { expectedOf, type MadeRun, makeRuns } from './make.ts';

const PROBE = fileURLToPath(new URL('probe.py', import.meta.url));
/** One of the labels of a small run: some of its rows have it. */
const LABEL = 'Klasse 1 ✓';

export interface ReaderSet {
  readonly packages: PythonPackageSet;
  readonly readers: readonly string[];
}

const PYARROW = ['pyarrow dataset', 'pyarrow read_table'];
const COMMON = [...PYARROW, 'pandas', 'polars', 'duckdb', 'datasets', 'datasets streaming'];

export const READER_SETS: readonly ReaderSet[] = [
  { packages: 'oldest-readers', readers: COMMON },
  { packages: 'newest-readers', readers: COMMON },
  { packages: 'other-readers', readers: [...PYARROW, 'daft', 'lancedb'] },
];
export const OLDEST_PYARROW: ReaderSet = { packages: 'oldest-pyarrow', readers: PYARROW };

interface Known {
  readonly packages?: PythonPackageSet;
  readonly reader: RegExp;
  readonly kind: string;
  /** How the refusal begins. */
  readonly refusal: RegExp;
}

/** All else is read, by every one. */
const KNOWN: readonly Known[] = [
  { reader: /^lancedb$/, kind: 'tensor', refusal: /There is no vector column/ },
  { reader: /^datasets/, kind: 'tensor', refusal: /does not have a datasets dtype equivalent/ },
  {
    packages: 'oldest-readers',
    reader: /^polars$/,
    kind: 'tensor',
    refusal: /^PanicException: Arrow datatype Extension/,
  },
  { packages: 'oldest-readers', reader: /^polars$/, kind: 'float16 vector', refusal: /Invalid thrift: bad data/ },
  // It gives the bytes, as BLOB[], without a word: refused is what our probe makes of them.
  {
    packages: 'oldest-readers',
    reader: /^duckdb$/,
    kind: 'float16 vector',
    refusal: /could not convert string to float/,
  },
];

export interface Cell {
  readonly packages: PythonPackageSet;
  readonly reader: string;
  readonly kind: string;
  readonly failed: string;
  readonly label: string | undefined;
  /** `read`, `wrong …` or the refusal's first line. */
  readonly outcome: string;
  readonly asKnown: boolean;
}

export async function tryReaders(
  { packages, readers }: ReaderSet,
  log?: (line: string) => void,
): Promise<readonly Cell[]> {
  const { python, pythonPath } = await preparePythonPackages(packages, log && { log });
  const folder = await mkdtemp(join(tmpdir(), 'layertap-readers-'));
  try {
    const runs = await makeRuns(folder);
    const wanted = readers.flatMap(reader =>
      runs.flatMap(run => [undefined, LABEL].map(label => ({ reader, run, label }))),
    );
    const cells = wanted.map(({ reader, run, label }, index) => ({
      ...{ reader, root: run.root, column: run.kind.spec.name, shape: run.kind.spec.shape, label: label ?? null },
      cache: join(folder, `cache-${index}`),
    }));
    const result = await runCommand(python, [PROBE], {
      timeoutMs: 500_000,
      input: JSON.stringify({ cells }),
      env: {
        PYTHONPATH: pythonPath,
        PYTHONDONTWRITEBYTECODE: '1',
        PYTHONNOUSERSITE: '1',
        HF_HUB_OFFLINE: '1',
        HOME: folder,
      },
    });
    if (!result.ok) throw new Error(`${describeFailure('probe.py', result)}\n${result.stderr.slice(-4000)}`);
    const outcomes = JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '') as readonly Outcome[];
    return wanted.map(({ reader, run, label }, index): Cell => {
      const outcome = describe(outcomes[index], run, label);
      const known = KNOWN.find(
        each => (each.packages ?? packages) === packages && each.reader.test(reader) && each.kind === run.kind.name,
      );
      // A refusal that needs a value is none where all rows have failed.
      const asKnown =
        outcome === 'read' ? known === undefined || run.failed === 'all' : known?.refusal.test(outcome) === true;
      return { packages, reader, kind: run.kind.name, failed: run.failed, label, outcome, asKnown };
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Outcome = { readonly refused: string } | { readonly ids: readonly string[]; readonly values: readonly unknown[] };

function describe(outcome: Outcome | undefined, run: MadeRun, label: string | undefined): string {
  if (outcome === undefined) return 'no answer';
  if ('refused' in outcome) return outcome.refused;
  const rowsOf = ({ ids, values }: { readonly ids: readonly string[]; readonly values: readonly unknown[] }): string =>
    JSON.stringify(ids.map((id, index) => [id, values[index]]).sort());
  return rowsOf(outcome) === rowsOf(expectedOf(run, label))
    ? 'read'
    : `wrong: ${JSON.stringify(outcome).slice(0, 200)}`;
}
