// layertap add-layer: gives every image of a finished run the columns of more layers; what is there stays to the last bit.
import { planLayers } from '../../../services/producer/src/plan-layers.ts';
import { addColumns } from '../../../services/worker/src/add-columns.ts';
import { extractOptions, outputOptions, prepareOptions, workerOptions } from '../../../shared/src/extract-options.ts';
import { createLogger } from '../../../shared/src/logger.ts';
import { repairRun } from '../../../shared/src/repair-run.ts';
import type { RunRecord } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { type CommandInput, defineCommand } from '../command.ts';
import { runEmbedded } from '../embedded.ts';
import { formatReport } from '../report.ts';
import { checkModels, prepareEngines } from '../run-models.ts';
import { openStandingRun } from '../standing-run.ts';

const { layer, maxOutput } = extractOptions;
const shape = { layer, maxOutput, ...workerOptions, ...prepareOptions, ...outputOptions } as const;

export const addLayer = defineCommand({
  name: 'add-layer',
  summary: 'Add columns of more layers to a finished run; the values that are there stay as they are',
  positionals: 'OUT',
  options: shape,
  async run(input): Promise<number> {
    const { options, positionals, lifecycle } = input;
    const { storage, run: standing } = await openStandingRun('add-layer', positionals);
    const run = await addLayers(storage, standing, input);
    // Nothing is left to do, save for shards whose old part was damaged.
    const summary = await runEmbedded({ ...options, run, storage, lifecycle });
    process.stdout.write(`${formatReport({ run, summary, out: storage.root, json: options.json })}\n`);
    return 0;
  },
});

async function addLayers(
  storage: Storage,
  run: RunRecord,
  { options, lifecycle }: CommandInput<typeof shape>,
): Promise<RunRecord> {
  const logger = createLogger({ json: options.json });
  const models = await checkModels(run);
  await prepareEngines(run, options);
  const planned = await planLayers(storage, run, {
    models,
    wanted: options.layer,
    maxOutput: options.maxOutput,
    signal: lifecycle.stopping,
    onNote: note => logger.log('info', note),
    onCompare: reference => logger.log('info', `compiling the model and comparing it with ${reference}`),
  });
  if (planned === undefined) {
    logger.log('info', 'the run has these layers already');
    return run;
  }
  const columns = planned.run.columns.map(({ name }) => name).join(', ');
  logger.log('info', `new columns: ${columns}`);
  // What an earlier try has done may be damaged by now: its shards are done again before the run is touched.
  await repairRun(planned.storage, planned.run, 'bytes');
  const goOn = 'Nothing was changed yet: the same command goes on where it stopped.';
  await runEmbedded({ ...options, run: planned.run, storage: planned.storage, lifecycle, goOn });
  return addColumns(storage, run, planned);
}
