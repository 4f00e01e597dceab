// One definition per option: a zod field gives its type, default, flag, environment name, help and documentation.
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { nearestNames, Refusal } from './errors.ts';
import { splitList } from './list-option.ts';

/** Extra facts about an option, in the field's `.meta()`. */
export interface OptionMeta {
  readonly description: string;
  /** Placeholder of the value in the help, such as `N` or `WxH`. */
  readonly value?: string;
  /** @default LAYERTAP_ and the field's name in capitals */
  readonly env?: string;
}

export type OptionShape = Readonly<Record<string, z.ZodType>>;

export interface OptionDoc {
  readonly name: string;
  readonly flag: string;
  readonly env: string;
  readonly value: string | undefined;
  readonly description: string;
  readonly default: string | undefined;
  readonly repeats: boolean;
  readonly required: boolean;
}

export interface ParsedOptions<S extends OptionShape> {
  readonly values: z.output<z.ZodObject<S>>;
  readonly positionals: readonly string[];
}

export interface ParseInput {
  readonly argv: readonly string[];
  /** Environment to read; flags win over it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How the command is called, for messages: `layertap extract`. */
  readonly command: string;
}

/** Reads a command's options from flags, then the environment, then defaults. Refuses with the flag and its valid values. */
export function parseOptions<S extends OptionShape>(shape: S, input: ParseInput): ParsedOptions<S> {
  const docs = describeOptions(shape);
  const { values, positionals } = parseFlags(docs, shape, input);
  const raw: Record<string, unknown> = {};
  for (const doc of docs) {
    const flag = values[doc.flag.slice(2)];
    const env = input.env[doc.env];
    if (Array.isArray(flag)) raw[doc.name] = flag.flatMap(text => valuesOf(doc, doc.flag, String(text), input));
    else if (flag !== undefined) raw[doc.name] = flag;
    else if (env !== undefined && env !== '' && doc.repeats) raw[doc.name] = valuesOf(doc, doc.env, env, input);
    else if (env !== undefined && env !== '') raw[doc.name] = fromEnvironment(doc, shape, env);
  }
  const parsed = z.object(shape).safeParse(raw);
  if (parsed.success) return { values: parsed.data, positionals };
  const issue = parsed.error.issues[0];
  const doc = docs.find(({ name }) => name === issue?.path[0]);
  const given = issue?.path.reduce<unknown>(valueAt, raw);
  if (doc !== undefined && given === undefined) {
    throw usage(`Expected ${doc.flag}${doc.value === undefined ? '' : ` ${doc.value}`}: ${doc.description}`, input);
  }
  const expected = issue === undefined ? 'valid options' : expectation(issue);
  // Whoever set a variable looks for its name, not for that of a flag.
  const where = doc === undefined ? 'the options' : values[doc.flag.slice(2)] === undefined ? doc.env : doc.flag;
  const received = typeof given === 'string' ? `'${given}'` : JSON.stringify(given);
  throw usage(`Expected ${expected} for ${where} but received ${received}`, input, { meant: meantBy(issue) });
}

/** The options as data: help, README and environment tables are made of this. */
export function describeOptions(shape: OptionShape): readonly OptionDoc[] {
  return Object.entries(shape).map(([name, schema]) => {
    const meta = (schema.meta() ?? {}) as Partial<OptionMeta>;
    const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
    const words = name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
    const boolean = isBoolean(schema);
    const choices = json.enum ?? (typeof json.items === 'object' && 'enum' in json.items ? json.items.enum : undefined);
    return {
      name,
      flag: `--${words}`,
      env: meta.env ?? `LAYERTAP_${words.replaceAll('-', '_').toUpperCase()}`,
      value: boolean ? undefined : (meta.value ?? choices?.join('|') ?? 'VALUE'),
      description: meta.description ?? '',
      default: json.default === undefined ? undefined : String(json.default),
      repeats: repeats(schema),
      required: !schema.safeParse(undefined).success,
    };
  });
}

/** The help's lines for a command's options. */
export function formatOptions(shape: OptionShape): string {
  const rows = describeOptions(shape).map(doc => {
    const left = `  ${doc.flag}${doc.value === undefined ? '' : ` ${doc.value}`}`;
    const notes = [
      doc.required ? 'required' : '',
      doc.repeats ? 'repeatable' : '',
      doc.default !== undefined && doc.default !== '' && doc.default !== 'false' ? `default ${doc.default}` : '',
    ].filter(note => note !== '');
    return { left, right: `${doc.description}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}` };
  });
  const width = Math.min(34, Math.max(0, ...rows.map(row => row.left.length)));
  return rows.map(({ left, right }) => `${left.padEnd(width)}  ${right}`).join('\n');
}

function parseFlags(
  docs: readonly OptionDoc[],
  shape: OptionShape,
  input: ParseInput,
): { values: Readonly<Record<string, unknown>>; positionals: readonly string[] } {
  const options = Object.fromEntries(
    docs.map(doc => [
      doc.flag.slice(2),
      { type: isBoolean(fieldOf(shape, doc)) ? ('boolean' as const) : ('string' as const), multiple: doc.repeats },
    ]),
  );
  const flags = docs.map(({ flag }) => flag);
  const end = input.argv.includes('--') ? input.argv.indexOf('--') : input.argv.length;
  const argv = input.argv.map((argument, at) => (argument === '-h' && at < end ? '--help' : argument));
  const unknown = argv
    .slice(0, end)
    .find(
      argument =>
        argument.startsWith('--') && !flags.includes(argument.split('=')[0] ?? '') && !isNegated(argument, docs),
    );
  if (unknown !== undefined) {
    const name = unknown.split('=')[0] ?? unknown;
    throw usage(`Unknown option ${name}; did you mean ${nearestNames(name, flags, 3).join(', ')}?`, input);
  }
  try {
    return parseArgs({ args: [...negativesJoined(argv, docs)], options, allowPositionals: true, allowNegative: true });
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error), input, { cause: error });
  }
}

/** `--mean -1` is a value to a person and a flag to parseArgs: join it with `=`. */
function negativesJoined(argv: readonly string[], docs: readonly OptionDoc[]): readonly string[] {
  const joined: string[] = [];
  for (const argument of argv) {
    const last = joined.at(-1);
    const takesValue = docs.some(doc => doc.flag === last && doc.value !== undefined);
    if (takesValue && /^-[\d.]/.test(argument)) joined[joined.length - 1] = `${last}=${argument}`;
    else joined.push(argument);
  }
  return joined;
}

function isNegated(argument: string, docs: readonly OptionDoc[]): boolean {
  return docs.some(doc => doc.value === undefined && argument === doc.flag.replace('--', '--no-'));
}

/** Flags and variables of a repeatable option are read alike. */
function valuesOf(doc: OptionDoc, where: string, text: string, input: ParseInput): readonly string[] {
  const values = splitList(text);
  // One that is empty alone is judged, and told of, as any other value.
  if (values.length === 1 || !values.includes('')) return values;
  throw usage(
    `Expected ${doc.value ?? 'a value'} on both sides of each comma for ${where} but received '${text}'`,
    input,
  );
}

function fromEnvironment(doc: OptionDoc, shape: OptionShape, text: string): unknown {
  if (!isBoolean(fieldOf(shape, doc))) return text;
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  return text;
}

function fieldOf(shape: OptionShape, doc: OptionDoc): z.ZodType {
  const schema = shape[doc.name];
  if (schema === undefined) throw new Error(`Expected an option named ${doc.name}`);
  return schema;
}

function isBoolean(schema: z.ZodType): boolean {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }).type === 'boolean';
}

function repeats(schema: z.ZodType): boolean {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }).type === 'array';
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return `one of ${issue.values.join(', ')}`;
  return issue.message
    .replace(/^Invalid input: expected /, '')
    .replace(/^Too (small|big): expected /, '')
    .replace(/, received .*/, '');
}

/** One value of a repeatable option has a path of its own. */
function valueAt(value: unknown, key: PropertyKey): unknown {
  return value === null || typeof value !== 'object' ? undefined : Reflect.get(value, key);
}

/** What a field's own check says that the user meant, as `params: { meant }` of its issue. */
function meantBy(issue: z.core.$ZodIssue | undefined): string | undefined {
  const meant: unknown = issue?.code === 'custom' ? issue.params?.meant : undefined;
  return typeof meant === 'string' ? meant : undefined;
}

interface UsageOptions {
  readonly meant?: string | undefined;
  readonly cause?: unknown;
}

function usage(message: string, input: ParseInput, { meant, cause }: UsageOptions = {}): Refusal {
  return new Refusal('bad-option', message, {
    hint: `${meant === undefined ? '' : `Did you mean ${meant}? `}See \`npx ${input.command} --help\`.`,
    ...(cause === undefined ? {} : { cause }),
  });
}
