// Finds what a TensorFlow graph does to its image input before anything else: scaling and shifting by constants.
import type { InputPreparation } from '../layer-table.ts';
import type { GraphNode, ImageGraph } from './graph-nodes.ts';

/** The values of a constant; undefined where it is none, or of more values than there are channels. */
export type ConstantValues = (node: string) => Promise<readonly number[] | undefined>;

const SIGNS: Readonly<Record<string, string>> = {
  Mul: '*',
  RealDiv: '/',
  Div: '/',
  Sub: '-',
  Add: '+',
  AddV2: '+',
};
/** They leave the values as they are. */
const TRANSPARENT = new Set(['Identity', 'Cast']);

/** In the order in which they are applied, from the image input to the first node that does something else. */
export async function findInputPreparation(graph: ImageGraph, valuesOf: ConstantValues): Promise<InputPreparation[]> {
  const found: InputPreparation[] = [];
  const seen = new Set<string>();
  let current = graph.image.node;
  while (!seen.has(current)) {
    seen.add(current);
    const takers = graph.nodes.filter(node => node.inputs.some(input => input.node === current));
    // What reads the shape of the batch takes nothing from its values.
    const [taker, ...others] = takers.filter(node => node.op !== 'Shape');
    if (taker === undefined || others.length > 0) break;
    if (!TRANSPARENT.has(taker.op)) {
      const does = await describe(graph, taker, current, valuesOf);
      if (does === undefined) break;
      found.push({ layer: taker.label, does });
    }
    current = taker.name;
  }
  return found;
}

async function describe(
  graph: ImageGraph,
  node: GraphNode,
  from: string,
  valuesOf: ConstantValues,
): Promise<string | undefined> {
  const sign = SIGNS[node.op];
  const [left, right] = node.inputs;
  if (sign === undefined || left === undefined || right === undefined) return undefined;
  const values = await constantBehind(graph, left.node === from ? right.node : left.node, valuesOf);
  if (values === undefined) return undefined;
  const constant = values.length === 1 ? plain(values[0] ?? 0) : `[${values.map(plain).join(', ')}]`;
  const isEitherWay = sign === '*' || sign === '+';
  return left.node === from || isEitherWay ? `x ${sign} ${constant}` : `${constant} ${sign} x`;
}

/** A constant, also behind a cast or a copy of it. */
async function constantBehind(
  graph: ImageGraph,
  name: string,
  valuesOf: ConstantValues,
): Promise<readonly number[] | undefined> {
  const node = graph.nodes.find(candidate => candidate.name === name);
  const [input] = node?.inputs ?? [];
  if (node !== undefined && input !== undefined && TRANSPARENT.has(node.op)) {
    return constantBehind(graph, input.node, valuesOf);
  }
  return valuesOf(name);
}

/** Seven digits are what a float32 holds. */
function plain(value: number): string {
  return String(Number(value.toPrecision(7)));
}
