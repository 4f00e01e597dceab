#!/usr/bin/env node
import { takeCacheNote } from '../../setup/src/made-cache.ts';
import { nearestNames, Refusal } from '../../shared/src/errors.ts';
// The `layertap` command: finds the command, reads its options, runs it under the two-step shutdown.
import { createLifecycle } from '../../shared/src/lifecycle.ts';
import { createLogger } from '../../shared/src/logger.ts';
import { formatOptions, parseOptions } from '../../shared/src/options.ts';
import { layertapVersion } from '../../shared/src/versions.ts';
import type { Command } from './command.ts';
import { COMMANDS } from './commands.ts';
import { environment } from './config.ts';

const lifecycle = createLifecycle();
await lifecycle.run(() => runCommand(process.argv.slice(2)));

async function runCommand(argv: readonly string[]): Promise<number> {
  const [name = '--help', ...rest] = argv;
  if (name === '--version' || name === '-V') return print(layertapVersion());
  if (name === '--help' || name === '-h' || name === 'help') return print(await overview());
  const load = COMMANDS[name];
  if (load === undefined) {
    throw new Refusal(
      'bad-option',
      `Unknown command '${name}'; did you mean ${nearestNames(name, Object.keys(COMMANDS), 2).join(' or ')}?`,
      {
        hint: 'See `npx layertap --help`.',
      },
    );
  }
  const command = await load();
  if (rest.includes('--help') || rest.includes('-h')) return print(helpOf(command));
  const { values, positionals } = parseOptions(command.options, {
    argv: rest,
    env: environment,
    command: `layertap ${name}`,
  });
  if (command.positionals === '' && positionals.length > 0) {
    throw new Refusal('bad-option', `Expected no argument but received '${positionals[0]}'`, {
      hint: `See \`npx layertap ${name} --help\`.`,
    });
  }
  try {
    return await command.run({ options: values, positionals, lifecycle });
  } finally {
    const note = takeCacheNote();
    if (note !== undefined) createLogger({ json: rest.includes('--json') }).log('warn', note);
  }
}

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map(load => load()));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`);
  return [
    'layertap: the output of any layer of any vision model, for any number of images, as Arrow and Parquet files',
    '',
    'Usage: layertap COMMAND …',
    '',
    ...lines,
    '',
    'Options of a command: layertap COMMAND --help',
  ].join('\n');
}

function helpOf(command: Command): string {
  return [
    `${command.summary}`,
    '',
    `Usage: layertap ${command.name} ${command.positionals} [options]`,
    '',
    formatOptions(command.options),
    '',
    'Each option can also stand in the environment: --shard-size is LAYERTAP_SHARD_SIZE. A repeatable one takes several values: A,B.',
  ].join('\n');
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}
