// One definition per option: flags before environment before defaults, and refusals that name what is valid.
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { describeOptions, formatOptions, parseOptions } from '../../shared/src/options.ts';
import { refusalOf } from '../support/refusal.ts';

const shape = {
  model: z.string().meta({ description: 'Model file', value: 'MODEL' }),
  layer: z.array(z.string()).min(1).meta({ description: 'Layer to extract', value: 'NAME' }),
  format: z.enum(['parquet', 'arrow']).default('parquet').meta({ description: 'Format of the parts' }),
  batchSize: z.coerce.number().int().min(1).default(32).meta({ description: 'Images per inference', value: 'N' }),
  mean: z.string().optional().meta({ description: 'Subtracted', value: 'M' }),
  redis: z.string().optional().meta({ description: 'Redis', value: 'URL', env: 'REDIS_URL' }),
  json: z.boolean().default(false).meta({ description: 'JSON lines' }),
  help: z.boolean().default(false).meta({ description: 'Show this help' }),
} as const;

const NEEDED = ['--model', 'm', '--layer', 'a'];

function parse(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return parseOptions(shape, { argv, env, command: 'layertap extract' });
}

function refusedOption(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return refusalOf(() => parse(argv, env), 'bad-option');
}

describe('where a value comes from', () => {
  it('is the default where nothing is said', () => {
    expect(parse(NEEDED).values).toEqual({
      model: 'm',
      layer: ['a'],
      format: 'parquet',
      batchSize: 32,
      json: false,
      help: false,
    });
  });

  it('is the environment before the default', () => {
    const env = { LAYERTAP_BATCH_SIZE: '8', LAYERTAP_FORMAT: 'arrow', REDIS_URL: 'redis://a', LAYERTAP_JSON: 'yes' };
    expect(parse(NEEDED, env).values).toMatchObject({ batchSize: 8, format: 'arrow', redis: 'redis://a', json: true });
  });

  it('is the flag before the environment', () => {
    const env = { LAYERTAP_BATCH_SIZE: '8', LAYERTAP_JSON: '1' };
    expect(parse([...NEEDED, '--batch-size', '4', '--no-json'], env).values).toMatchObject({
      batchSize: 4,
      json: false,
    });
  });

  it('is the default where a variable is set to nothing', () => {
    expect(parse(NEEDED, { LAYERTAP_BATCH_SIZE: '' }).values.batchSize).toBe(32);
  });

  it('is the environment for required options too', () => {
    expect(parse([], { LAYERTAP_MODEL: 'm', LAYERTAP_LAYER: 'a, b' }).values).toMatchObject({
      model: 'm',
      layer: ['a', 'b'],
    });
  });
});

describe('how flags are written', () => {
  it('may repeat, in order', () => {
    expect(parse([...NEEDED, '--layer', 'b', '--layer=c']).values.layer).toEqual(['a', 'b', 'c']);
  });

  it.each([['a,b', '/c,d/'], ['a', 'b,/c,d/'], ['a,b,/c,d/']])('take several values at once: %s', (...texts) => {
    const flags = texts.flatMap(text => ['--layer', text]);
    expect(parse(['--model', 'm', ...flags]).values.layer).toEqual(['a', 'b', '/c,d/']);
    expect(parse(['--model', 'm'], { LAYERTAP_LAYER: texts.join(',') }).values.layer).toEqual(['a', 'b', '/c,d/']);
  });

  it('take a comma of the value itself behind a backslash, as variables do', () => {
    expect(parse([...NEEDED, '--layer', String.raw`b\,c`]).values.layer).toEqual(['a', 'b,c']);
    expect(parse(['--model', 'm'], { LAYERTAP_LAYER: String.raw`b\,c` }).values.layer).toEqual(['b,c']);
  });

  it('keep the commas of an option that takes one value', () => {
    expect(parse(['--model', 'a,b', '--layer', 'c']).values.model).toBe('a,b');
  });

  it('take a negative number for a value, with a space or an equals sign', () => {
    expect(parse([...NEEDED, '--mean', '-1.5']).values.mean).toBe('-1.5');
    expect(parse([...NEEDED, '--mean', '-.5,-2', 'photos'])).toMatchObject({
      values: { mean: '-.5,-2' },
      positionals: ['photos'],
    });
    expect(parse([...NEEDED, '--mean=-1']).values.mean).toBe('-1');
  });

  it('stand anywhere between the positional arguments', () => {
    expect(parse(['photos', ...NEEDED, 'more']).positionals).toEqual(['photos', 'more']);
  });

  it('end at a double dash: what follows is positional, whatever it looks like', () => {
    expect(parse([...NEEDED, '--', '--unknown', '-h'])).toMatchObject({
      values: { help: false },
      positionals: ['--unknown', '-h'],
    });
  });

  it('have -h for --help', () => {
    expect(parse([...NEEDED, '-h']).values.help).toBe(true);
  });
});

describe('a refused option', () => {
  it('that nobody knows names the nearest ones', async () => {
    const { message, hint } = await refusedOption([...NEEDED, '--fromat=arrow']);
    expect(message).toMatch(/^Unknown option --fromat; did you mean --format, /);
    expect(hint).toBe('See `npx layertap extract --help`.');
  });

  it('with a value outside the list names the list', async () => {
    const { message } = await refusedOption([...NEEDED, '--format', 'csv']);
    expect(message).toBe("Expected one of parquet, arrow for --format but received 'csv'");
  });

  it('that is no number, or one out of range, says what was expected', async () => {
    expect((await refusedOption([...NEEDED, '--batch-size', 'many'])).message).toBe(
      "Expected number for --batch-size but received 'many'",
    );
    expect((await refusedOption([...NEEDED, '--batch-size', '0'])).message).toBe(
      "Expected number to be >=1 for --batch-size but received '0'",
    );
    expect((await refusedOption([...NEEDED, '--batch-size', '1.5'])).message).toContain('Expected int ');
    expect((await refusedOption([...NEEDED, '--batch-size', '1e30'])).message).toMatch(/^Expected int to be <=/);
    await refusedOption([...NEEDED, '--batch-size', '-3']);
    await refusedOption([...NEEDED, '--batch-size', '']);
  });

  it('that is required and missing names the flag with its meaning', async () => {
    expect((await refusedOption(['--layer', 'a'])).message).toBe('Expected --model MODEL: Model file');
    expect((await refusedOption(['--model', 'm'])).message).toBe('Expected --layer NAME: Layer to extract');
  });

  it('from the environment names its variable', async () => {
    expect((await refusedOption(NEEDED, { LAYERTAP_BATCH_SIZE: '0' })).message).toContain(
      'for LAYERTAP_BATCH_SIZE but',
    );
    expect((await refusedOption(NEEDED, { LAYERTAP_JSON: 'maybe' })).message).toBe(
      "Expected boolean for LAYERTAP_JSON but received 'maybe'",
    );
  });

  it('with nothing beside a comma says where', async () => {
    expect((await refusedOption(['--model', 'm', '--layer', 'a,,b'])).message).toBe(
      "Expected NAME on both sides of each comma for --layer but received 'a,,b'",
    );
    expect((await refusedOption(['--model', 'm'], { LAYERTAP_LAYER: 'a,' })).message).toContain('for LAYERTAP_LAYER');
  });

  it('without its value, with a value it takes none of, or of one letter is wrong usage', async () => {
    expect((await refusedOption([...NEEDED, '--mean'])).message).toContain('--mean');
    expect((await refusedOption([...NEEDED, '--json=true'])).message).toContain('--json');
    expect((await refusedOption([...NEEDED, '-x'])).message).toContain('-x');
    expect((await refusedOption([...NEEDED, '--no-format'])).exitCode).toBe(2);
  });
});

describe('the options as data', () => {
  it('have flag, variable, placeholder, default and whether they are required', () => {
    const [model, layer, format, batchSize, , redis, json] = describeOptions(shape);
    expect(model).toMatchObject({ flag: '--model', env: 'LAYERTAP_MODEL', value: 'MODEL', required: true });
    expect(layer).toMatchObject({ repeats: true, required: true });
    expect(format).toMatchObject({ value: 'parquet|arrow', default: 'parquet', required: false });
    expect(batchSize).toMatchObject({ name: 'batchSize', flag: '--batch-size', env: 'LAYERTAP_BATCH_SIZE' });
    expect(redis).toMatchObject({ env: 'REDIS_URL', default: undefined, required: false });
    expect(json).toMatchObject({ value: undefined, repeats: false });
  });

  it('make the help', () => {
    expect(formatOptions(shape).split('\n')).toEqual([
      '  --model MODEL           Model file (required)',
      '  --layer NAME            Layer to extract (required, repeatable)',
      '  --format parquet|arrow  Format of the parts (default parquet)',
      '  --batch-size N          Images per inference (default 32)',
      '  --mean M                Subtracted',
      '  --redis URL             Redis',
      '  --json                  JSON lines',
      '  --help                  Show this help',
    ]);
  });
});
