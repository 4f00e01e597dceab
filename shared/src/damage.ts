// What can be wrong with a run directory: codes for programs, words for people. Found by verify-run.ts, mended by repair-run.ts.

export const DAMAGE_CODES = [
  'record-changed',
  'manifest-missing',
  'manifest-changed',
  'compiled-damaged',
  'receipt-missing',
  'receipt-damaged',
  'receipt-foreign',
  'receipt-counts',
  'part-missing',
  'part-damaged',
  'part-columns',
  'part-rows',
  'part-values',
  'part-shared',
  'part-unnamed',
] as const;
export type DamageCode = (typeof DAMAGE_CODES)[number];

/** One thing that is wrong, in words that name the file. */
export interface Damage {
  readonly code: DamageCode;
  /** Undefined where it concerns the whole run. */
  readonly shard: number | undefined;
  /** Relative to the run directory. */
  readonly file: string;
  readonly message: string;
}

/** Takes what is wrong with one shard. */
export type ReportDamage = (code: DamageCode, file: string, message: string) => void;
