// The contract of a command: one file in commands/ and one line in commands.ts.
import type { z } from 'zod';
import type { Lifecycle } from '../../shared/src/lifecycle.ts';
import type { OptionShape } from '../../shared/src/options.ts';

export interface CommandInput<S extends OptionShape> {
  readonly options: z.output<z.ZodObject<S>>;
  readonly positionals: readonly string[];
  readonly lifecycle: Lifecycle;
}

export interface Command<S extends OptionShape = OptionShape> {
  readonly name: string;
  readonly summary: string;
  /** Positional arguments as the help shows them, such as `SOURCE`. */
  readonly positionals: string;
  readonly options: S;
  /** Resolves with the exit status. */
  run(input: CommandInput<S>): Promise<number>;
}

/** Keeps the option types of the command for its `run`. */
export function defineCommand<const S extends OptionShape>(command: Command<S>): Command<S> {
  return command;
}
