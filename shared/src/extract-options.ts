// The options of an extraction, each defined once: flags of `layertap extract` and `enqueue`, environment of the producer.
import { z } from 'zod';
import { parseBytes } from './byte-size.ts';
import { POOLING_NAMES, PoolingName, poolingChoice } from './pooling.ts';
import { recipeOptions } from './recipe-options.ts';
import { DTYPES, ENGINE_NAMES, FORMATS, NORMALIZATIONS, TENSOR_TYPES } from './request.ts';
import { sourceOptions } from './source-options.ts';

/** An amount of bytes, or one of the words. */
function bytesOr<const Word extends string>(words: readonly Word[], expected: string) {
  return (text: string, context: z.RefinementCtx<string>): number | Word => {
    const value = words.find(word => word === text) ?? parseBytes(text);
    if (value !== undefined) return value;
    context.addIssue(expected);
    return z.NEVER;
  };
}

const byteLimit = z.string().transform(bytesOr(['none'], 'an amount such as 10GB or 500MB, or none'));
const memoryLimit = z
  .string()
  .default('auto')
  .transform(bytesOr(['auto', 'none'], 'an amount such as 4GB or 800MB, auto or none'));

const count = z.coerce.number().int().min(1);
const autoCount = z
  .string()
  .default('auto')
  .transform((text, context) => {
    const value = text === 'auto' ? text : /^\d+$/.test(text) ? Number(text) : 0;
    if (value !== 0) return value;
    context.addIssue('a whole number of at least 1, or auto');
    return z.NEVER;
  });

export const extractOptions = {
  model: z.array(z.string()).min(1).meta({
    description: 'Model file or folder, or URL#sha256=HEX; several see the same decoded images',
    value: '[NAME=]MODEL',
  }),
  modelSha256: z
    .string()
    .optional()
    .meta({ description: 'Digest that the file of a model URL must have', value: 'HEX' }),
  layer: z.array(z.string()).min(1).meta({
    description:
      'Layer to extract: name, index, glob, /regex/, class:NAME or outputs; of one among several models, MODEL/NAME',
    value: 'NAME',
  }),
  out: z.string().meta({ description: 'Output directory of the run', value: 'DIR' }),
  format: z.enum(FORMATS).default('parquet').meta({ description: 'Format of the parts' }),
  tensors: z.enum(TENSOR_TYPES).default('typed').meta({
    description: 'Columns of more than one axis: arrow.fixed_shape_tensor, or plain lists, which more readers know',
  }),
  pool: z
    .array(PoolingName)
    .min(1)
    .default(['none'])
    .transform(poolingChoice)
    .meta({ description: `Pooling over all axes but channels: ${POOLING_NAMES}`, value: 'NAME' }),
  normalize: z
    .enum(NORMALIZATIONS)
    .default('none')
    .meta({ description: 'Scale each feature to length 1, after pooling' }),
  dtype: z.enum(DTYPES).default('float32').meta({ description: 'Type of the values in the parts' }),
  withPredictions: z
    .boolean()
    .default(false)
    .meta({ description: "Also write the model's predictions, from the same pass" }),
  deterministic: z.boolean().default(false).meta({
    description: 'Equal parts to the last byte: workers of other versions, processor or threads decline',
  }),
  batch: count.default(32).meta({ description: 'Images per inference', value: 'N' }),
  shardSize: count.optional().meta({ description: 'Images per part; without it, from the bytes per row', value: 'N' }),
  limit: count.optional().meta({ description: 'Take only the first N images', value: 'N' }),
  maxOutput: byteLimit.optional().meta({
    description: 'Refuse a run whose output will be larger; without it, the free disk of OUT; none does not look',
    value: 'BYTES',
  }),
  duplicates: z
    .enum(['refuse', 'number'])
    .default('refuse')
    .meta({ description: 'What to do with two samples of one id' }),
  engine: z
    .enum(['auto', ...ENGINE_NAMES])
    .default('auto')
    .meta({
      description: 'Runtime; auto compiles the model and takes that where it agrees with TensorFlow and is faster',
    }),
  ...sourceOptions,
  ...recipeOptions,
} as const;

/** For commands that take one model. */
export const oneModel = z.string().meta({ description: 'Model file or folder, or URL#sha256=HEX', value: 'MODEL' });
export type ExtractOptions = z.output<z.ZodObject<typeof extractOptions>>;

/** How a queue is reached, for commands that may do without one. */
export const redisOptions = {
  queue: z
    .string()
    .regex(/^[\w.-]+$/, 'letters, digits, dots, dashes and underscores')
    .default('layertap')
    .meta({ description: 'Name of the queue: workers take jobs of the same name only', value: 'NAME' }),
  redisPrefix: z
    .string()
    .regex(/^[\w.:{}-]+$/, 'letters, digits, dots, dashes, underscores, colons and braces')
    .default('bull')
    .meta({
      description: 'Begin of all keys in Redis; in a cluster {PREFIX:QUEUE}',
      value: 'TEXT',
      env: 'REDIS_PREFIX',
    }),
  redisTlsCaFile: z.string().optional().meta({
    description: 'Certificate of who signed that of Redis, PEM; without it, those that Node trusts',
    value: 'FILE',
    env: 'REDIS_TLS_CA_FILE',
  }),
  redisTlsCertFile: z.string().optional().meta({
    description: "This client's certificate for Redis, PEM",
    value: 'FILE',
    env: 'REDIS_TLS_CERT_FILE',
  }),
  redisTlsKeyFile: z.string().optional().meta({
    description: 'The key of that certificate, PEM',
    value: 'FILE',
    env: 'REDIS_TLS_KEY_FILE',
  }),
  redisAllowEviction: z.boolean().default(false).meta({
    description: 'Take a Redis that may drop queued shards when its memory is full: resume --redis queues them again',
    env: 'REDIS_ALLOW_EVICTION',
  }),
} as const;

export const queueOptions = {
  redis: z.string().default('redis://127.0.0.1:6379').meta({
    description: 'Redis of the queue: redis[s]://, unix://, redis[s]+cluster:// or redis[s]+sentinel://',
    value: 'URL',
    env: 'REDIS_URL',
  }),
  ...redisOptions,
} as const;
export type QueueOptions = z.output<z.ZodObject<typeof queueOptions>>;

export const workerOptions = {
  processes: autoCount.meta({
    description: 'Engine processes; auto is one for each processor, as far as memory and shards go',
    value: 'N|auto',
  }),
  threads: autoCount.meta({
    description: 'Engine threads in each process; auto shares out the processors',
    value: 'N|auto',
  }),
  decodeThreads: autoCount.meta({
    description: 'Decoding threads in each process; auto shares out the processors',
    value: 'N|auto',
  }),
  allowRoot: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .meta({ description: 'Read and write nothing outside of these folders, links resolved', value: 'DIR' }),
  maxMemory: memoryLimit.meta({
    description: 'Replace an engine process that holds more between two shards; auto is its share of the free memory',
    value: 'BYTES|auto|none',
  }),
  stallTimeout: count.default(600).meta({
    description: 'Seconds that 32 images may take before their engine process counts as hung and is killed',
    value: 'SECONDS',
  }),
} as const;
export type WorkerOptions = z.output<z.ZodObject<typeof workerOptions>>;

/** Of a worker that takes its shards from Redis. */
export const heartbeatOptions = {
  heartbeat: z.string().optional().meta({
    description: 'File that is touched every 5 s while Redis answers: for health checks, which look at its age',
    value: 'FILE',
  }),
} as const;
export type HeartbeatOptions = z.output<z.ZodObject<typeof heartbeatOptions>>;

/** Of the commands that may run a model on TensorFlow. */
export const prepareOptions = {
  prepare: z.boolean().default(false).meta({
    description:
      'Where TensorFlow is not prepared, do that first, as `layertap setup` does (a download of 274 MB); without it, nothing is downloaded for an engine',
  }),
} as const;

export const outputOptions = {
  json: z.boolean().default(false).meta({ description: 'JSON lines instead of text' }),
  help: z.boolean().default(false).meta({ description: 'Show this help' }),
} as const;
