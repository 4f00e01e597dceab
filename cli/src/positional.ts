// The one positional argument of a command, or a refusal that names it.
import { Refusal } from '../../shared/src/errors.ts';

export function onlyPositional(command: string, name: string, positionals: readonly string[]): string {
  const [value, ...extra] = positionals;
  if (value !== undefined && extra.length === 0) return value;
  const received = value === undefined ? 'none' : positionals.map(text => `'${text}'`).join(', ');
  throw new Refusal('bad-option', `Expected one ${name} but received ${received}`, {
    hint: `See \`npx layertap ${command} --help\`.`,
  });
}
