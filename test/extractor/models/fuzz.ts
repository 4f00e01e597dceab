// The fuzz of model files: damages one file of a model by a seed, opens the model in one process as users do, loads it
// in another as workers do, and counts how each file ends. For fuzz.test.ts and, with many files, fuzz-main.ts.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { chooseEngine } from '../../../extractor/src/engine-choice.ts';
import { isKerasFormat } from '../../../extractor/src/models/keras-formats.ts';
import type { EngineName } from '../../../shared/src/request.ts';
import { damagedCopy, randomOf } from './damage.ts';
import { basesOf, type FuzzBase, type FuzzFormat } from './fuzz-bases.ts';
import { type FuzzBounds, FuzzChild } from './fuzz-child.ts';
import type { FuzzAnswer } from './fuzz-process.ts';

export interface FuzzOptions extends FuzzBounds {
  /** Damaged files, one for each seed from `seed` on; 0 opens the models as they are. */
  readonly count: number;
  readonly seed: number;
  /** Ends the fuzz after the file in hand. */
  readonly signal?: AbortSignal;
}

export interface FuzzReport {
  readonly format: FuzzFormat;
  /** What loads the models; none for Keras formats, which are loaded in the process that opens them. */
  readonly engine: EngineName | 'none';
  files: number;
  /** When opened. */
  refused: number;
  /** Opened, then refused by who reads the weights, or by the runtime. */
  refusedLoading: number;
  /** Opened and loaded: the damage lay in weights, or in what nobody needs. */
  loaded: number;
  /** Refusals that a time limit of a reader brought. */
  hangsEnded: number;
  /** Refusals after a library broke in the thread or process that was made to be lost. */
  crashesEnded: number;
  slowestMs: number;
  /** The most memory of the process that opened. */
  peakMb: number;
  /** The most memory of the engine's process. */
  enginePeakMb: number;
  /** Anything but a refusal or a loaded model, a dead process, one out of bounds: each with its seed. */
  readonly failures: string[];
}

export async function fuzzFormat(format: FuzzFormat, options: FuzzOptions): Promise<FuzzReport> {
  const engine = isKerasFormat(format) ? 'none' : (await chooseEngine('auto', { format })).engine;
  const fuzz = new Fuzz(format, engine, options);
  const folder = await mkdtemp(join(tmpdir(), 'layertap-fuzz-'));
  try {
    const bases = await basesOf(format);
    for (const base of bases) await writeBase(base, join(folder, base.name));
    if (options.count === 0)
      for (const base of bases) await fuzz.open(base, join(folder, base.name, base.model), 'whole');
    for (let seed = options.seed; seed < options.seed + options.count; seed++) {
      if (options.signal?.aborted === true) break;
      // Of the seed alone, so that one file can be had again.
      const base = bases[seed % bases.length];
      if (base !== undefined) await fuzz.damage(base, join(folder, base.name), seed);
    }
    return fuzz.report;
  } finally {
    fuzz.end();
    await rm(folder, { recursive: true });
  }
}

async function writeBase({ files }: FuzzBase, folder: string): Promise<void> {
  for (const [name, bytes] of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
}

/** The two processes of one format, and what they said. */
class Fuzz {
  readonly report: FuzzReport;
  readonly #user: FuzzChild;
  readonly #engine: FuzzChild | undefined;

  constructor(format: FuzzFormat, engine: EngineName | 'none', bounds: FuzzBounds) {
    this.#user = new FuzzChild(undefined, bounds);
    this.#engine = engine === 'none' ? undefined : new FuzzChild(engine, bounds);
    this.report = {
      ...{ format, engine, files: 0, refused: 0, refusedLoading: 0, loaded: 0, hangsEnded: 0, crashesEnded: 0 },
      ...{ slowestMs: 0, peakMb: 0, enginePeakMb: 0, failures: [] },
    };
  }

  /** One file of the base is damaged, opened, and mended again. */
  async damage(base: FuzzBase, folder: string, seed: number): Promise<void> {
    const random = randomOf(seed);
    const files = [...base.files];
    const [name, bytes] = files[Math.floor(random() * files.length)] ?? ['', new Uint8Array()];
    await writeFile(join(folder, name), damagedCopy(bytes, random));
    await this.open(base, join(folder, base.model), `seed ${seed}, ${name}`);
    await writeFile(join(folder, name), bytes);
  }

  /** First as whoever lists or plans, then, where that goes well, as whoever runs the model. */
  async open(base: FuzzBase, path: string, what: string): Promise<void> {
    this.report.files += 1;
    for (const loads of [false, true]) {
      const answer = await (loads ? (this.#engine ?? this.#user) : this.#user).ask({ path, loads });
      this.#count(answer, loads);
      if (answer.outcome === 'failed') {
        const did = loads ? 'loading' : 'opening';
        this.report.failures.push(`${this.report.format}, ${base.name}, ${what}, ${did}: ${answer.message}`);
      }
      if (answer.outcome !== 'opened') return;
    }
  }

  #count({ outcome, message, ms, peakMb }: FuzzAnswer, loads: boolean): void {
    const { report } = this;
    report.slowestMs = Math.max(report.slowestMs, Math.round(ms));
    if (loads && this.#engine !== undefined) report.enginePeakMb = Math.max(report.enginePeakMb, peakMb);
    else report.peakMb = Math.max(report.peakMb, peakMb);
    if (outcome === 'loaded') report.loaded += 1;
    if (outcome !== 'refused') return;
    if (loads) report.refusedLoading += 1;
    else report.refused += 1;
    if (/takes more than .* to read$/.test(message)) report.hangsEnded += 1;
    if (/that (breaks|ends) the reader/.test(message)) report.crashesEnded += 1;
  }

  end(): void {
    this.#user.end();
    this.#engine?.end();
  }
}
