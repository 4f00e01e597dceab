// The flags of `npm run conformance`: which architectures, formats and engines, and where the work and the report go.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setupConfig } from '../setup/src/config.ts';
import { nearestNames, Refusal } from '../shared/src/errors.ts';
import { ENGINE_NAMES, type EngineName } from '../shared/src/request.ts';

/** Which Keras writes the model, and into which file. */
export const FORMATS = {
  keras: { keras: 'keras', suffix: 'keras', title: 'Keras 3 `.keras`' },
  h5: { keras: 'keras', suffix: 'h5', title: 'Keras 3 `.h5`' },
  'tfkeras-keras': { keras: 'tf_keras', suffix: 'keras', title: 'tf_keras 2 `.keras`' },
  'tfkeras-h5': { keras: 'tf_keras', suffix: 'h5', title: 'tf_keras 2 `.h5`' },
} as const;
export type FormatName = keyof typeof FORMATS;
export type KerasPackage = (typeof FORMATS)[FormatName]['keras'];

export interface ConformanceOptions {
  /** Undefined for all of keras.applications. */
  readonly only: readonly string[] | undefined;
  /** Also the architectures that tf_keras alone has: RegNet and ResNetRS. */
  readonly more: boolean;
  readonly engines: readonly EngineName[];
  readonly formats: readonly FormatName[];
  /** What is done with results of an earlier call: gone on with, failed ones done again, or all done again. */
  readonly earlier: 'keep' | 'retry-failed' | 'forget';
  /** Folder of references and results. */
  readonly work: string;
  /** The report's file. */
  readonly out: string;
  /** Photos from a JPEG to a feature; 0 leaves that part out. */
  readonly photos: number;
  /** Limit for one case, after which it counts as failed. */
  readonly caseTimeoutMs: number;
  /** Nothing is run: the report is written from the results that are there. */
  readonly reportOnly: boolean;
}

/** Small ones that span the families. */
const QUICK = [
  'MobileNet',
  'MobileNetV2',
  'MobileNetV3Small',
  'EfficientNetB0',
  'EfficientNetV2B0',
  'DenseNet121',
  'ResNet50',
  'NASNetMobile',
];

export const CONFORMANCE_HELP = `Every architecture of keras.applications against real Keras: architecture × format × engine

Usage: npm run conformance -- [options]

  --only NAME,…       architectures (all)
  --more              also those that tf_keras alone has: RegNet and ResNetRS
  --engines NAME,…    ${ENGINE_NAMES.filter(name => name !== 'null').join(', ')} (all that claim the model)
  --formats NAME,…    ${Object.keys(FORMATS).join(', ')} (all)
  --quick             ${QUICK.length} small architectures and 24 photos
  --photos N          photos from a JPEG to a feature, 0 for none (100)
  --retry             do failed cases of an earlier call again; passed ones stand
  --fresh             forget the earlier results of the selected cases
  --report            run nothing: write the report from the results that are there
  --case-timeout S    seconds after which one case has failed (1800)
  --work DIR          folder of references and results (in the cache)
  --out FILE          the report (docs/conformance.md)
  --help              show this help
`;

/** Undefined where only the help was asked for. */
export function parseConformanceOptions(argv: readonly string[]): ConformanceOptions | undefined {
  const values = parse(argv);
  if (values.help === true) return undefined;
  const engines = ENGINE_NAMES.filter(name => name !== 'null');
  const quick = values.quick === true;
  return {
    only: listOf(values.only) ?? (quick ? QUICK : undefined),
    more: values.more === true,
    engines: chosen('engines', values.engines, engines),
    formats: chosen('formats', values.formats, Object.keys(FORMATS) as FormatName[]),
    earlier: values.fresh === true ? 'forget' : values.retry === true ? 'retry-failed' : 'keep',
    work: values.work ?? join(setupConfig().installedRoot, 'conformance'),
    out: values.out ?? 'docs/conformance.md',
    photos: count('photos', values.photos, quick ? 24 : 100),
    caseTimeoutMs: 1000 * count('case-timeout', values['case-timeout'], 1800),
    reportOnly: values.report === true,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        only: { type: 'string' },
        more: { type: 'boolean' },
        engines: { type: 'string' },
        formats: { type: 'string' },
        quick: { type: 'boolean' },
        photos: { type: 'string' },
        retry: { type: 'boolean' },
        fresh: { type: 'boolean' },
        report: { type: 'boolean' },
        'case-timeout': { type: 'string' },
        work: { type: 'string' },
        out: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (cause) {
    throw new Refusal('bad-option', cause instanceof Error ? cause.message : String(cause), {
      hint: CONFORMANCE_HELP,
      cause,
    });
  }
}

function listOf(text: string | undefined): readonly string[] | undefined {
  return text?.split(',').map(name => name.trim());
}

function chosen<Name extends string>(flag: string, text: string | undefined, names: readonly Name[]): readonly Name[] {
  const wanted = listOf(text);
  if (wanted === undefined) return names;
  return wanted.map(name => {
    const found = names.find(known => known === name);
    if (found !== undefined) return found;
    throw new Refusal('bad-option', `Expected one of ${names.join(', ')} for \`--${flag}\` but received '${name}'`, {
      hint: `Did you mean ${nearestNames(name, names, 1).join('')}?`,
    });
  });
}

function count(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new Refusal('bad-option', `Expected a whole number from 0 on for \`--${name}\` but received '${text}'`);
}
