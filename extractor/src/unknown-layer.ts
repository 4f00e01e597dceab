// The refusal of a layer name that a model does not have, in the same words for every format: for selection, readers and engines.
import { nearestNames, Refusal } from '../../shared/src/errors.ts';

export interface UnknownLayerOptions {
  /** What would be valid instead, for an entry that is no name: an index, a class. @default the nearest names */
  readonly valid?: string;
  /** The model is in memory alone: no command can list its layers. */
  readonly isInMemory?: boolean;
}

/** A Refusal `unknown-layer`. */
export function unknownLayer(name: string, known: Iterable<string>, options: UnknownLayerOptions = {}): Refusal {
  const names = [...known];
  const valid = options.valid ?? `The nearest names are ${nearestNames(name, names).map(quote).join(', ')}`;
  const all = options.isInMemory === true ? '' : `; \`npx layertap layers MODEL\` lists all ${names.length}`;
  return new Refusal('unknown-layer', `Expected the name of a layer but received '${name}'`, {
    hint: `${valid}${all}.`,
  });
}

function quote(name: string): string {
  return `'${name}'`;
}
