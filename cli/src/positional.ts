// The positional arguments of a command, or a refusal that names them.
import { Refusal } from '../../shared/src/errors.ts';

export function onlyPositional(command: string, name: string, positionals: readonly string[]): string {
  const [value, ...extra] = positionals;
  if (value !== undefined && extra.length === 0) return value;
  const received = value === undefined ? 'none' : positionals.map(text => `'${text}'`).join(', ');
  throw new Refusal('bad-option', `Expected one ${name} but received ${received}`, {
    hint: `See \`npx layertap ${command} --help\`.`,
  });
}

export function twoPositionals(
  command: string,
  names: readonly [string, string],
  positionals: readonly string[],
): readonly [string, string] {
  const [first, second, ...extra] = positionals;
  if (first !== undefined && second !== undefined && extra.length === 0) return [first, second];
  const received = positionals.length === 0 ? 'none' : positionals.map(text => `'${text}'`).join(', ');
  throw new Refusal('bad-option', `Expected ${names.join(' and ')} but received ${received}`, {
    hint: `See \`npx layertap ${command} --help\`.`,
  });
}
