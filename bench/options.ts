// The flags of `npm run bench`: how many images and rounds, and where the results go.
import { parseArgs } from 'node:util';
import { Refusal } from '../shared/src/errors.ts';

export interface BenchOptions {
  /** Images of one measured run. */
  readonly images: number;
  readonly rounds: number;
  /** Images per inference, of all contestants. */
  readonly batch: number;
  /** Lines of the list that goes through the flow alone; 0 leaves that part out. */
  readonly flowRows: number;
  /** JSON lines file to append the results to. */
  readonly out: string | undefined;
  /** Further flags for `layertap extract`. */
  readonly extractFlags: readonly string[];
}

/** As many images as the smallest sets have that Layertap is made for: what only a run's first seconds cost counts as it does there. */
const FULL = { images: 10_000, rounds: 3, flowRows: 1_000_000 };
const QUICK = { images: 96, rounds: 1, flowRows: 20_000 };

export const BENCH_HELP = `Images per second of the pipeline, of its engine alone and of a Keras script, side by side

Usage: npm run bench -- [options] [-- FLAGS OF layertap extract]

  --images N      images of one run (${FULL.images})
  --rounds N      rounds, each of which runs every contestant once (${FULL.rounds})
  --batch N       images per inference (32)
  --flow-rows N   lines of the list for the flow alone, 0 for none (${FULL.flowRows})
  --quick         a smoke: ${QUICK.images} images, ${QUICK.rounds} round, ${QUICK.flowRows} lines
  --out FILE      append the results to FILE, as one line of JSON
  --help          show this help
`;

/** Undefined where only the help was asked for. */
export function parseBenchOptions(argv: readonly string[]): BenchOptions | undefined {
  const { values, positionals } = parse(argv);
  if (values.help === true) return undefined;
  const defaults = values.quick === true ? QUICK : FULL;
  return {
    images: count('images', values.images, defaults.images, 1),
    rounds: count('rounds', values.rounds, defaults.rounds, 1),
    batch: count('batch', values.batch, 32, 1),
    flowRows: count('flow-rows', values['flow-rows'], defaults.flowRows, 0),
    out: values.out,
    extractFlags: positionals,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        images: { type: 'string' },
        rounds: { type: 'string' },
        batch: { type: 'string' },
        'flow-rows': { type: 'string' },
        quick: { type: 'boolean' },
        out: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (cause) {
    throw new Refusal('bad-option', cause instanceof Error ? cause.message : String(cause), {
      hint: BENCH_HELP,
      cause,
    });
  }
}

/** The value of a flag. @throws Refusal `bad-option` */
export function count(name: string, text: string | undefined, fallback: number, least: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new Refusal('bad-option', `Expected a whole number from ${least} on for \`--${name}\` but received '${text}'`, {
    hint: 'See `--help`.',
  });
}
