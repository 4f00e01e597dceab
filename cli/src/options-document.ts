// docs/options.md, made from the definitions that the commands themselves read: `npm run docs` writes it.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { producerServiceOptions } from '../../services/producer/src/config.ts';
import { workerServiceOptions } from '../../services/worker/src/config.ts';
import { LIST_RULE } from '../../shared/src/list-option.ts';
import { describeOptions, type OptionShape } from '../../shared/src/options.ts';
import { packageRoot } from '../../shared/src/versions.ts';
import { COMMANDS } from './commands.ts';

export async function optionsDocument(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map(load => load()));
  const sections = commands.map(
    ({ name, summary, positionals, options }) =>
      `## layertap ${`${name} ${positionals}`.trim()}\n\n${summary}.\n\n${optionTable(options)}`,
  );
  return [
    '# Options',
    'A flag wins over its environment name, which wins over the default. This page is written by `npm run docs` from the same definitions that the commands read.',
    `Options marked (repeatable) take several values. ${LIST_RULE}`,
    ...sections,
    `## The producer service\n\n\`npm run producer\`, configured by the environment alone.\n\n${optionTable(producerServiceOptions)}`,
    `## The worker service\n\n\`npm run worker\`, configured by the environment alone.\n\n${optionTable(workerServiceOptions)}`,
    '',
  ].join('\n\n');
}

function optionTable(shape: OptionShape): string {
  const rows = describeOptions(shape)
    .filter(({ name }) => name !== 'help')
    .map(({ flag, value, env, description, default: fallback, required, repeats }) => {
      const left = value === undefined ? flag : `${flag} ${value}`;
      const end = required ? 'required' : fallback === undefined || fallback === 'false' ? '' : `\`${fallback}\``;
      return `| \`${left.replaceAll('|', '\\|')}\` | \`${env}\` | ${description}${repeats ? ' (repeatable)' : ''} | ${end} |`;
    });
  return ['| flag | environment | meaning | default |', '|---|---|---|---|', ...rows].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(new URL('docs/options.md', packageRoot()), await optionsDocument());
}
