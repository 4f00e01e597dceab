// An extractor over a function that runs one batch: probes shapes, splits batches for graphs that fix their rows. For graph engines.
import { Refusal } from '../../../shared/src/errors.ts';
import type { FeatureSpec, TensorData } from '../../../shared/src/tensor.ts';
import type { Extractor, LoadOptions } from '../engine.ts';
import { openValues } from '../input-batch.ts';
import { cutRows, requireRows, runInPieces, viewRows, zeroRows } from '../rows.ts';

export interface GraphRunner {
  /** One tensor per wanted layer, batch axis first. */
  runOnce(batch: TensorData): Promise<readonly TensorData[]>;
  /** How many rows the graph takes, where the file fixes that. */
  readonly fixedRows: number | undefined;
  /** Above this many rows at a time it takes longer per row. @default a batch is run whole */
  readonly bestRows?: number;
  close(): Promise<void>;
}

/**
 * Finds the shapes by a run of zeros and gives the extractor; closes the runner where that fails.
 * @throws Refusal `recipe-mismatch`, `unknown-layer`
 */
export async function openRowExtractor(runner: GraphRunner, options: LoadOptions): Promise<Extractor> {
  let closed = false;
  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    await runner.close();
  }
  try {
    const { rows, outputs } = await probe(runner, options);
    const valuesOf = openValues();
    const run: Extractor['run'] = async (batch, take = outputs => outputs) => {
      if (closed) throw new Error('Expected an open extractor but it was closed');
      requireRows(batch, options.inputShape);
      return runInPieces(batch, rows ?? runner.bestRows ?? Number.POSITIVE_INFINITY, async piece =>
        take(await runPiece(runner, valuesOf(piece), rows)),
      );
    };
    const warmUp = async (batch: number): Promise<void> => {
      const most = Math.min(batch, runner.bestRows ?? batch);
      // The probe was a run already; where the rows are fixed, all runs are like it.
      if (rows === undefined && most > PROBED_ROWS) await run(zeroRows([most, ...options.inputShape]));
    };
    return { inputShape: options.inputShape, outputs, run, warmUp, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function runPiece(
  runner: GraphRunner,
  piece: TensorData,
  fixedRows: number | undefined,
): Promise<readonly TensorData[]> {
  if (fixedRows === undefined) return runner.runOnce(piece);
  const [rows = 0] = piece.shape;
  // Fewer rows than the graph takes are filled up with zeros, and what these give is cut off.
  const outputs = await runner.runOnce(cutRows(piece, 0, fixedRows));
  return outputs.map(output => viewRows(output, 0, rows));
}

/** Two show which axis is the batch. */
const PROBED_ROWS = 2;

/** How many rows a run takes, and the shapes it gives. */
async function probe(
  runner: GraphRunner,
  options: LoadOptions,
): Promise<{ rows: number | undefined; outputs: FeatureSpec[] }> {
  const { fixedRows } = runner;
  try {
    return { rows: fixedRows, outputs: await probeOutputs(runner, options, fixedRows ?? PROBED_ROWS) };
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    // The input says that it takes any number, but some exporters write 1 into a reshape inside.
    const outputs = fixedRows === undefined ? await probeOutputs(runner, options, 1).catch(() => undefined) : undefined;
    if (outputs !== undefined) return { rows: 1, outputs };
    const shape = options.inputShape.join(', ');
    throw new Refusal('recipe-mismatch', `Expected an input that the layers can take but received [${shape}]`, {
      hint: "Change the recipe's size; if the model takes none, its file may be damaged.",
      cause,
    });
  }
}

async function probeOutputs(
  runner: GraphRunner,
  { inputShape, layers }: LoadOptions,
  rows: number,
): Promise<FeatureSpec[]> {
  const outputs = await runner.runOnce(zeroRows([rows, ...inputShape]));
  return outputs.map(({ shape: [first, ...shape] }, index) => {
    const name = layers[index] ?? '';
    if (first === rows) return { name, dtype: 'float32', shape };
    const received = `[${[first, ...shape].join(', ')}] for ${rows}`;
    throw new Refusal('unknown-layer', `Expected a layer with one row per image but '${name}' gives ${received}`, {
      hint: 'Reshaped weights, shapes and the like are no features; take another layer.',
    });
  });
}
