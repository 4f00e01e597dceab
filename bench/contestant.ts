// The contract of a contestant: runs once over all images and tells how fast that was. Implementations stand in contestants/.
import type { BenchInputs } from './inputs.ts';
import type { ProcessPeak } from './measure-process.ts';
import type { StageCosts } from './stage-costs.ts';

export interface Measurement {
  /** Images per second once everything is loaded and warm. */
  readonly steady: number;
  /** Images per second over the whole life of the process; null where that would say nothing. */
  readonly whole: number | null;
  readonly peaks: readonly ProcessPeak[];
  /** Seconds per stage, where the contestant tells them. */
  readonly stages?: Readonly<Record<string, number>>;
  /** What its stages cost, each alone, right before and after it. */
  readonly costs?: StageCosts;
  readonly versions: Readonly<Record<string, string>>;
}

export interface Contestant {
  /** As the table shows it. */
  readonly name: string;
  run(): Promise<Measurement>;
}

export interface ContestantOptions {
  readonly inputs: BenchInputs;
  readonly batch: number;
  /** Folder for whatever it writes. */
  readonly folder: string;
  readonly signal: AbortSignal;
}
