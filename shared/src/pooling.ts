// Poolings by name: what flags, requests and column names call them, and what each name says.
import { z } from 'zod';
import { nearestNames } from './errors.ts';

/** `gem` is `gem:3`; `grid:2x3` has 2 rows and 3 columns. */
export type Pooling =
  | 'none'
  | 'mean'
  | 'max'
  | 'mean+max'
  | 'gem'
  | `gem:${number}`
  | `grid:${number}x${number}`
  | 'cls'
  | 'mean-tokens';

/** Several give a column each. One alone is written as text: records from before there were several read on. */
export type Poolings = Pooling | readonly Pooling[];

/** A pooling's name taken apart. */
export type PoolingSpec =
  | { readonly kind: 'none' | 'mean' | 'max' | 'mean+max' | 'cls' | 'mean-tokens' }
  | { readonly kind: 'gem'; readonly power: number }
  | { readonly kind: 'grid'; readonly rows: number; readonly columns: number };

const PLAIN = ['none', 'mean', 'max', 'mean+max', 'cls', 'mean-tokens'] as const;
/** Radenović, Tolias, Chum: Fine-tuning CNN Image Retrieval with No Human Annotation, section 3.2: p is 3 at first. */
const GEM_POWER = 3;

export const POOLING_NAMES = 'none, mean, max, mean+max, gem, gem:P, grid:RxC, cls, mean-tokens';

function findPooling(name: string): PoolingSpec | undefined {
  const plain = PLAIN.find(known => known === name);
  if (plain !== undefined) return { kind: plain };
  if (name === 'gem') return { kind: 'gem', power: GEM_POWER };
  const power = /^gem:(\d+(?:\.\d+)?)$/.exec(name)?.[1];
  if (power !== undefined) return Number(power) > 0 ? { kind: 'gem', power: Number(power) } : undefined;
  const [, rows, columns] = /^grid:([1-9]\d{0,3})x([1-9]\d{0,3})$/.exec(name) ?? [];
  if (rows === undefined || columns === undefined) return undefined;
  return { kind: 'grid', rows: Number(rows), columns: Number(columns) };
}

/** @throws TypeError for a name that the type forbids: flags and requests are checked by `PoolingName` */
export function parsePooling(pooling: Pooling): PoolingSpec {
  const spec = findPooling(pooling);
  if (spec !== undefined) return spec;
  throw new TypeError(`Expected one of ${POOLING_NAMES} for \`pool\` but received ${pooling}`);
}

/** One name for one thing: `gem:3.0` is `gem`. Column names and fingerprints depend on it. */
function canonicalName(name: string): Pooling {
  const spec = findPooling(name);
  if (spec?.kind !== 'gem') return name as Pooling;
  return spec.power === GEM_POWER ? 'gem' : `gem:${spec.power}`;
}

/** What others call them: Keras' `pooling='avg'`, and the layers GlobalAveragePooling2D and GlobalMaxPooling2D in short. */
const FOREIGN_NAMES: ReadonlyMap<string, Pooling> = new Map([
  ['avg', 'mean'],
  ['average', 'mean'],
  ['gap', 'mean'],
  ['gmp', 'max'],
]);

function nearestPooling(name: string): string {
  const foreign = FOREIGN_NAMES.get(name.toLowerCase());
  return foreign ?? nearestNames(name, [...PLAIN, 'gem', 'grid:2x2'], 1).join();
}

export const PoolingName = z.string().transform((name, context): Pooling => {
  if (findPooling(name) !== undefined) return canonicalName(name);
  const message = `one of ${POOLING_NAMES}`;
  context.issues.push({ code: 'custom', message, input: name, params: { meant: nearestPooling(name) } });
  return z.NEVER;
});

/** The poolings of a request, each once, in their order. */
export function poolingsOf(choice: Poolings): readonly Pooling[] {
  return [...new Set([choice].flat())];
}

/** The reverse of `poolingsOf`: one alone without a list. */
export function poolingChoice(poolings: readonly Pooling[]): Poolings {
  const [only, ...others] = new Set(poolings);
  return only === undefined || others.length > 0 ? [...new Set(poolings)] : only;
}
