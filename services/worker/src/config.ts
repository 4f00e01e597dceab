// The worker service's configuration, from the environment alone: REDIS_URL, LAYERTAP_PROCESSES and so on.

import { z } from 'zod';
import { heartbeatOptions, queueOptions, workerOptions } from '../../../shared/src/extract-options.ts';
import { createLogger, LOG_LEVELS, type Logger } from '../../../shared/src/logger.ts';
import { parseOptions } from '../../../shared/src/options.ts';

export const workerServiceOptions = {
  ...queueOptions,
  ...workerOptions,
  ...heartbeatOptions,
  logLevel: z.enum(LOG_LEVELS).default('info').meta({ description: 'Least level that is logged' }),
} as const;

export type WorkerConfig = z.output<z.ZodObject<typeof workerServiceOptions>> & {
  readonly logger: Logger;
  /** What engine processes inherit. */
  readonly env: Readonly<Record<string, string | undefined>>;
};

/** Refuses with the variable and its valid values. */
export function readWorkerConfig(env: Readonly<Record<string, string | undefined>> = process.env): WorkerConfig {
  const { values } = parseOptions(workerServiceOptions, { argv: [], env, command: 'layertap work' });
  return { ...values, env, logger: createLogger({ level: values.logLevel, json: true }) };
}
