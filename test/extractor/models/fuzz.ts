// The fuzz of model files: damages one file of a model by a seed, opens the model in one process as users do, loads it
// in another as workers do, and counts how each file ends. For fuzz.test.ts and, with many files, fuzz-main.ts.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { chooseEngine } from '../../../extractor/src/engine-choice.ts';
import { isKerasFormat } from '../../../extractor/src/models/keras-formats.ts';
import type { EngineName } from '../../../shared/src/request.ts';
import { damagedCopy, randomOf } from '../../support/damage.ts';
import { type FuzzBounds, FuzzChild, type LostAnswer } from '../../support/fuzz-child.ts';
import { basesOf, type FuzzBase, type FuzzFormat } from './fuzz-bases.ts';
import type { FuzzTask, ModelAnswer } from './fuzz-process.ts';

export interface FuzzOptions extends FuzzBounds {
  /** Damaged files, one for each seed from `seed` on. */
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
  /** Refusals that a reader's time limit brought, and processes of the engine that were ended as a probe ends them. */
  hangsEnded: number;
  /** Refusals because a library broke in the thread that is made to be lost. */
  crashesEnded: number;
  /** Of opening or loading one file, where nobody had to end it. */
  slowestMs: number;
  /** The same in time on the processor, whatever else the machine does. */
  slowestProcessorMs: number;
  /** The most memory of the process that opened. */
  peakMb: number;
  /** The most memory of the engine's process. */
  enginePeakMb: number;
  /** Anything but a refusal or a loaded model, a dead process, one out of bounds: each with its seed. */
  readonly failures: string[];
}

/** @throws Error where a model does not load before it is damaged: the fuzz would prove nothing */
export async function fuzzFormat(format: FuzzFormat, options: FuzzOptions): Promise<FuzzReport> {
  const engine = isKerasFormat(format) ? 'none' : (await chooseEngine('auto', { format })).engine;
  const fuzz = new Fuzz(format, engine, options);
  const folder = await mkdtemp(join(tmpdir(), 'layertap-fuzz-'));
  try {
    const bases = await basesOf(format);
    for (const base of bases) {
      await writeBase(base, join(folder, base.name));
      await fuzz.requireWhole(base, join(folder, base.name));
    }
    for (let seed = options.seed; seed < options.seed + options.count; seed++) {
      if (options.signal?.aborted === true) break;
      // Of the seed alone, so that one file can be had again.
      const base = bases[seed % bases.length];
      if (base !== undefined) await fuzz.openDamaged(base, join(folder, base.name), seed);
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

type ModelChild = FuzzChild<FuzzTask, ModelAnswer>;

/** @param engine empty for a user's process, which has none */
function openChild(engine: EngineName | '', bounds: FuzzBounds): ModelChild {
  return new FuzzChild(new URL('fuzz-process.ts', import.meta.url), [engine], bounds);
}

/** The two processes of one format, and what they said. */
class Fuzz {
  readonly report: FuzzReport;
  readonly #user: ModelChild;
  readonly #engine: ModelChild | undefined;

  constructor(format: FuzzFormat, engine: EngineName | 'none', bounds: FuzzBounds) {
    this.#user = openChild('', bounds);
    this.#engine = engine === 'none' ? undefined : openChild(engine, bounds);
    this.report = {
      ...{ format, engine, files: 0, refused: 0, refusedLoading: 0, loaded: 0, hangsEnded: 0, crashesEnded: 0 },
      ...{ slowestMs: 0, slowestProcessorMs: 0, peakMb: 0, enginePeakMb: 0, failures: [] },
    };
  }

  async requireWhole(base: FuzzBase, folder: string): Promise<void> {
    const task = { path: join(folder, base.model), loads: true };
    const { outcome, message } = await (this.#engine ?? this.#user).ask(task);
    if (outcome !== 'loaded') throw new Error(`Expected ${base.name} to load before it is damaged but: ${message}`);
  }

  /** Damages one file of the base, opens it, and mends the file. */
  async openDamaged(base: FuzzBase, folder: string, seed: number): Promise<void> {
    const random = randomOf(seed);
    const files = [...base.files];
    const [name, bytes] = files[Math.floor(random() * files.length)] ?? ['', new Uint8Array()];
    await writeFile(join(folder, name), damagedCopy(bytes, random));
    await this.#open(join(folder, base.model), `${base.name}, seed ${seed}, ${name}`);
    await writeFile(join(folder, name), bytes);
  }

  /** First as whoever lists or plans, then, where that goes well, as whoever runs the model. */
  async #open(path: string, what: string): Promise<void> {
    const { report } = this;
    report.files += 1;
    const opened = await this.#user.ask({ path, loads: false });
    report.peakMb = Math.max(report.peakMb, opened.peakMb);
    if (opened.outcome === 'refused') report.refused += 1;
    this.#count(opened, `${what}, opening`);
    if (opened.outcome !== 'opened') return;

    const loaded = await (this.#engine ?? this.#user).ask({ path, loads: true });
    if (this.#engine === undefined) report.peakMb = Math.max(report.peakMb, loaded.peakMb);
    else report.enginePeakMb = Math.max(report.enginePeakMb, loaded.peakMb);
    // A damaged loop may go on for hours: the engine's process is there to be ended.
    const isEnded = loaded.outcome === 'late' && this.#engine !== undefined;
    if (isEnded) report.hangsEnded += 1;
    if (isEnded || loaded.outcome === 'refused') report.refusedLoading += 1;
    if (loaded.outcome === 'loaded') report.loaded += 1;
    if (!isEnded) this.#count(loaded, `${what}, loading`);
  }

  #count({ outcome, message, ms, processorMs }: ModelAnswer | LostAnswer, what: string): void {
    const { report } = this;
    report.slowestMs = Math.max(report.slowestMs, Math.round(ms));
    report.slowestProcessorMs = Math.max(report.slowestProcessorMs, Math.round(processorMs));
    if (outcome === 'failed' || outcome === 'late') report.failures.push(`${report.format}, ${what}: ${message}`);
    if (outcome !== 'refused') return;
    if (/takes more than .* to read$/.test(message)) report.hangsEnded += 1;
    if (/that (breaks|ends) the reader/.test(message)) report.crashesEnded += 1;
  }

  end(): void {
    this.#user.end();
    this.#engine?.end();
  }
}
