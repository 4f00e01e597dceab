// The flags of `npm run bench:compose`.
import { parseArgs } from 'node:util';
import { Refusal } from '../../shared/src/errors.ts';
import { usableProcessors } from '../../shared/src/processors.ts';
import { count } from '../options.ts';

/** `extract`, or that many workers. */
export type Arrangement = 'extract' | '1' | '2' | '3';
const ARRANGEMENTS: readonly Arrangement[] = ['extract', '1', '2', '3'];
/** Whether the containers' processors are bounded. */
export type Bound = 'free' | 'limited';
const BOUNDS: readonly Bound[] = ['free', 'limited'];

export interface ComposeBenchOptions {
  readonly images: number;
  readonly rounds: number;
  readonly arrangements: readonly Arrangement[];
  readonly bounds: readonly Bound[];
  /** Processors of all workers together, and of `extract`, where they are bounded. */
  readonly cpus: number;
  readonly target: 'onnx' | 'tensorflow';
  /** JSON lines file to append the results to. */
  readonly out: string | undefined;
}

const FULL = { images: 10_000, rounds: 5 };
const QUICK = { images: 1000, rounds: 1 };

export const COMPOSE_BENCH_HELP = `Images per second of workers in containers beside \`extract\` in the same image

Usage: npm run bench:compose -- [options]

  --images N        images of one run (${FULL.images})
  --rounds N        rounds, each of which runs every row once (${FULL.rounds})
  --only A,B        rows: ${ARRANGEMENTS.join(', ')} (that many workers); all
  --bounds A,B      free, limited: without and with CPU limits; both
  --cpus N          processors of all workers together where they are limited (all of this machine)
  --target NAME     onnx or tensorflow: the image (onnx)
  --quick           ${QUICK.images} images, ${QUICK.rounds} round: some three minutes
  --out FILE        append the results to FILE, as one line of JSON
  --help            show this help
`;

/** Undefined where only the help was asked for. */
export function parseComposeBenchOptions(argv: readonly string[]): ComposeBenchOptions | undefined {
  const { values } = parse(argv);
  if (values.help === true) return undefined;
  const defaults = values.quick === true ? QUICK : FULL;
  return {
    images: count('images', values.images, defaults.images, 1),
    rounds: count('rounds', values.rounds, defaults.rounds, 1),
    arrangements: chosen('only', values.only, ARRANGEMENTS),
    bounds: chosen('bounds', values.bounds, BOUNDS),
    cpus: count('cpus', values.cpus, usableProcessors(), 1),
    target: chosen('target', values.target ?? 'onnx', ['onnx', 'tensorflow'] as const)[0] ?? 'onnx',
    out: values.out,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        images: { type: 'string' },
        rounds: { type: 'string' },
        only: { type: 'string' },
        bounds: { type: 'string' },
        cpus: { type: 'string' },
        target: { type: 'string' },
        quick: { type: 'boolean' },
        out: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (cause) {
    const hint = COMPOSE_BENCH_HELP;
    throw new Refusal('bad-option', cause instanceof Error ? cause.message : String(cause), { hint, cause });
  }
}

function chosen<Name extends string>(flag: string, text: string | undefined, names: readonly Name[]): readonly Name[] {
  const wanted = text?.split(',') ?? names;
  const unknown = wanted.find(name => !names.some(known => known === name));
  if (unknown === undefined) return names.filter(name => wanted.includes(name));
  throw new Refusal('bad-option', `Expected some of ${names.join(', ')} for \`--${flag}\` but received '${unknown}'`, {
    hint: 'See `--help`.',
  });
}
