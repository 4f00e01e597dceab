// Layer selection: what a user writes (names, patterns, positions) to the exact layer names of a model.
import { Refusal } from '../../shared/src/errors.ts';
import type { Layer, LayerTable } from './layer-table.ts';
import { unknownLayer } from './unknown-layer.ts';

/**
 * Exact layer names for what was asked for, in the order asked and, within one pattern, of the model; none twice.
 *
 * | written | takes |
 * |---|---|
 * | `conv1`, `backbone/conv5` | the layer of that name, inside nested models by its path |
 * | `12`, `-1` | the layer at that index, from either end |
 * | `block_*_add` | names that match: `*` any characters, `?` one |
 * | `/^block_[1-3]_/i` | names that the regular expression finds |
 * | `class:Conv2D` | all layers of that class |
 * | `outputs` | the layers that give the predictions |
 *
 * @throws Refusal `unknown-layer` for an entry that takes no layer, naming the nearest names, and for a layer whose values
 * cannot be had, with the reason
 */
export function selectLayers(table: LayerTable, wanted: readonly string[]): readonly string[] {
  const names = [...new Set(wanted.flatMap(entry => select(table, entry)))];
  const refused = table.layers.find(layer => layer.unsupported !== undefined && names.includes(layer.name));
  if (refused === undefined) return names;
  throw new Refusal(
    'unknown-layer',
    `Expected layers that can be extracted but '${refused.name}' cannot: ${refused.unsupported}`,
    {
      hint: 'Take layers before it; `npx layertap layers MODEL` marks those that cannot be had.',
    },
  );
}

function select(table: LayerTable, entry: string): readonly string[] {
  // An exact name always wins: a layer may be called `outputs` or hold a `*`.
  if (table.layers.some(layer => layer.name === entry)) return [entry];
  if (entry === 'outputs') return table.outputs;
  const matching = table.layers.filter(matcherOf(table, entry));
  // A pattern takes what can be had of what it matches; it is refused only where that is nothing.
  const available = matching.filter(layer => layer.unsupported === undefined);
  const found = (available.length > 0 ? available : matching).map(layer => layer.name);
  if (found.length === 0) throw takesNone(table, entry);
  return found;
}

function matcherOf(table: LayerTable, entry: string): (layer: Layer) => boolean {
  if (/^-?\d+$/.test(entry)) {
    const index = Number(entry);
    const position = index < 0 ? table.layers.length + index : index;
    return layer => layer.index === position;
  }
  if (entry.startsWith('class:')) {
    const className = entry.slice('class:'.length);
    return layer => layer.className === className;
  }
  const regex = /^\/(.+)\/([a-z]*)$/.exec(entry);
  if (regex !== null) {
    const pattern = compileRegex(entry, regex[1] ?? '', regex[2] ?? '');
    return layer => pattern.test(layer.name);
  }
  if (/[*?]/.test(entry)) {
    const pattern = compileGlob(entry);
    return layer => pattern.test(layer.name);
  }
  return () => false;
}

function compileRegex(entry: string, source: string, flags: string): RegExp {
  try {
    // `g` and `y` make `test` remember its last match.
    return new RegExp(source, flags.replace(/[gy]/g, ''));
  } catch (cause) {
    throw new Refusal('bad-option', `Expected a regular expression for \`layer\` but received '${entry}'`, { cause });
  }
}

function compileGlob(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's');
}

function takesNone({ layers }: LayerTable, entry: string): Refusal {
  const names = layers.map(layer => layer.name);
  if (/^-?\d+$/.test(entry)) {
    const last = layers.length - 1;
    return unknownLayer(entry, names, {
      valid: `Indices run from 0 to ${last}, or from -1 to -${last + 1} from the end`,
    });
  }
  if (!entry.startsWith('class:')) return unknownLayer(entry, names);
  const classes = [...new Set(layers.map(layer => layer.className))].sort();
  return unknownLayer(entry, names, { valid: `The model's classes are ${classes.join(', ')}` });
}
