// The first half of `extract` and `enqueue`: plan the run and tell the user what was decided.
import { enginesFor } from '../../extractor/src/engine-choice.ts';
import { type PlannedRun, planRun } from '../../services/producer/src/plan.ts';
import { takeCacheNote } from '../../setup/src/made-cache.ts';
import { Refusal } from '../../shared/src/errors.ts';
import type { ExtractOptions } from '../../shared/src/extract-options.ts';
import { createLogger } from '../../shared/src/logger.ts';
import { readyTensorFlow } from './ready-tensorflow.ts';

export interface PlanCommandInput {
  readonly command: string;
  readonly options: ExtractOptions & { readonly prepare: boolean; readonly json: boolean };
  readonly positionals: readonly string[];
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
}

export async function planFromCommand({
  command,
  options,
  positionals,
  signal,
}: PlanCommandInput): Promise<PlannedRun> {
  const [source, ...extra] = positionals;
  if (source === undefined || extra.length > 0) {
    const received = source === undefined ? 'none' : positionals.map(text => `'${text}'`).join(', ');
    throw new Refusal(
      'bad-option',
      `Expected one SOURCE (a folder, a glob in quotes or a list file) but received ${received}`,
      {
        hint: `See \`npx layertap ${command} --help\`.`,
      },
    );
  }
  const logger = createLogger({ json: options.json });
  const planned = await planRun({
    ...options,
    source,
    signal,
    onProgress: samples => logger.log('info', `${samples} images found so far`),
    onCompareEngines: reference =>
      logger.log(
        'info',
        `compiling the model and comparing it with ${reference}: once for these layers on this machine${reference === 'wasm' ? ' (quicker with TensorFlow, which `npx layertap setup` prepares)' : ''}`,
      ),
    prepareEngine: async model => {
      if (!enginesFor(model.format).includes('tensorflow') || !['auto', 'tensorflow'].includes(options.engine)) return;
      await readyTensorFlow({ prepare: options.prepare, logger });
    },
  });
  for (const note of planned.notes) logger.log('info', note);
  const cacheNote = takeCacheNote();
  if (cacheNote !== undefined) logger.log('warn', cacheNote);
  const { run, continued } = planned;
  logger.log(
    'info',
    `${continued ? 'continuing the run' : 'manifest'}: ${run.manifest.rows} images in ${run.shards} ${run.shards === 1 ? 'shard' : 'shards'} of ${run.shardSize}`,
  );
  return planned;
}
