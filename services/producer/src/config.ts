// The producer service's configuration, from the environment alone: LAYERTAP_SOURCE, LAYERTAP_MODEL and so on.
import { z } from 'zod';
import { extractOptions, queueOptions } from '../../../shared/src/extract-options.ts';
import { failedBoundOptions } from '../../../shared/src/failed-bound.ts';
import { createLogger, LOG_LEVELS, type Logger } from '../../../shared/src/logger.ts';
import { parseOptions } from '../../../shared/src/options.ts';

export const producerServiceOptions = {
  source: z.string().meta({ description: 'Folder, glob or list file of the images', value: 'SOURCE' }),
  ...extractOptions,
  ...failedBoundOptions,
  ...queueOptions,
  wait: z.boolean().default(true).meta({ description: 'Stay until the run is done and write its summary' }),
  logLevel: z.enum(LOG_LEVELS).default('info').meta({ description: 'Least level that is logged' }),
} as const;

export type ProducerConfig = z.output<z.ZodObject<typeof producerServiceOptions>> & { readonly logger: Logger };

/** Refuses with the variable and its valid values. */
export function readProducerConfig(env: Readonly<Record<string, string | undefined>> = process.env): ProducerConfig {
  const { values } = parseOptions(producerServiceOptions, { argv: [], env, command: 'layertap enqueue' });
  return { ...values, logger: createLogger({ level: values.logLevel, json: true }) };
}
