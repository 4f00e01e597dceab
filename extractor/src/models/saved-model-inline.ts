// Graph surgery on a SavedModel: the functions that it calls become nodes of the main graph, so that a session can fetch them.
import { Refusal } from '../../../shared/src/errors.ts';
import { parseTensorName, type TensorRef } from './graph-nodes.ts';
import { attributeOf, type FunctionProto, type NodeProto } from './saved-model-proto.ts';
import { outputIndex } from './tf-op-outputs.ts';

export interface InlinedNode {
  readonly proto: NodeProto;
  /** Name in the main graph. */
  readonly name: string;
  /** Name as in its function, below the names of the calls that lead there. */
  readonly label: string;
  readonly inputs: readonly TensorRef[];
  /** It isn't in the file's own main graph. */
  readonly isNew: boolean;
}

export interface InlinedGraph {
  readonly nodes: readonly InlinedNode[];
  /** What a tensor of the main graph is after inlining. */
  resolve(tensor: TensorRef): TensorRef;
}

const CALL = /^(Stateful)?PartitionedCall$/;
/** Names that TensorFlow gives to calls, and to the copies in front of a function's results: no information. */
const CALL_NAME = /^(Stateful)?PartitionedCall(_\d+)?$/;
const RESULT_NAME = /^Identity(_\d+)?$/;
/** A damaged file could call the same function again and again. */
const MOST_NODES = 300_000;

/** @param from tensors of the main graph that are wanted: only what they need is inlined */
export function inlineFunctions(
  main: readonly NodeProto[],
  functions: ReadonlyMap<string, FunctionProto>,
  from: readonly TensorRef[],
): InlinedGraph {
  const byName = new Map(main.map(node => [node.name, node]));
  const needed = neededBy(byName, from);
  const nodes: InlinedNode[] = [];
  const labels = new Set<string>();
  let calls = 0;

  function add(node: Omit<InlinedNode, 'label'>, path: string): void {
    if (nodes.length >= MOST_NODES) throw damaged(`at most ${MOST_NODES} operations`, 'more');
    nodes.push({ ...node, label: uniqueLabel(labels, path === '' ? node.proto.name : `${path}/${node.proto.name}`) });
  }

  /** Adds the nodes of one body; the result says what its tensors are, by their names in it. */
  function body(scope: Scope): (text: string) => TensorRef | undefined {
    const local = new Map(scope.nodes.map(node => [node.name, node]));
    const results = new Map<string, readonly TensorRef[]>();
    const open = new Set<string>();

    function resolve(text: string): TensorRef | undefined {
      const { node: name, argument, index } = scope.parse(text);
      if (text.startsWith('^')) return undefined;
      const argumentValue = scope.args.get(name);
      if (argumentValue !== undefined) return argumentValue;
      const node = local.get(name);
      if (node === undefined) throw damaged(`a node '${name}'`, 'none of that name');
      if (isTransparent(scope, node)) {
        if (open.has(name)) throw damaged('a graph without circles', `one through '${name}'`);
        open.add(name);
        const behind = resolve(node.inputs[0] ?? '');
        open.delete(name);
        return behind;
      }
      if (callee(scope, node) === undefined) {
        const output = argument === undefined ? index : outputIndex(node.op, argument, index);
        return { node: scope.prefix + name, output };
      }
      return resultsOf(node)[index];
    }

    function resultsOf(node: NodeProto): readonly TensorRef[] {
      const known = results.get(node.name);
      if (known !== undefined) return known;
      const called = callee(scope, node);
      if (called === undefined || open.has(node.name))
        throw damaged('a graph without circles', `one through '${node.name}'`);
      open.add(node.name);
      const given = node.inputs.flatMap(input => resolve(input) ?? []);
      calls += 1;
      if (scope.depth > 60) throw damaged('functions at most 60 deep', 'deeper ones');
      const resolveInside = body({
        prefix: `layertap_inlined_${calls}/`,
        path: pathOf(scope.path, node.name),
        depth: scope.depth + 1,
        nodes: called.nodes,
        args: new Map(called.args.flatMap((name, position) => entry(name, given[position]))),
        inlines: () => true,
        parse: parseInner,
      });
      const returned = called.returns.map(text => resolveInside(text) ?? { node: '', output: 0 });
      open.delete(node.name);
      results.set(node.name, returned);
      return returned;
    }

    function callee(inside: Scope, node: NodeProto): FunctionProto | undefined {
      if (!CALL.test(node.op) || !inside.inlines(node.name)) return undefined;
      const called = functions.get(attributeOf(node.attributes.get('f')).functionName ?? '');
      // A function whose types its caller decides stays as it is.
      return called?.nodes.some(hasPlaceholder) === false ? called : undefined;
    }

    for (const node of scope.nodes) {
      if (callee(scope, node) !== undefined) resultsOf(node);
      else if (!isTransparent(scope, node)) {
        const inputs = node.inputs.flatMap(input => resolve(input) ?? []);
        add({ proto: node, name: scope.prefix + node.name, inputs, isNew: scope.depth > 0 }, scope.path);
      }
    }
    return resolve;
  }

  const resolve = body({
    prefix: '',
    path: '',
    depth: 0,
    nodes: main,
    args: new Map(),
    inlines: name => needed.has(name),
    parse: parseOuter,
  });
  return { nodes, resolve: ({ node, output }) => resolve(`${node}:${output}`) ?? { node, output } };
}

/** One body that is inlined, and how its names are to be read. */
interface Scope {
  readonly prefix: string;
  readonly path: string;
  readonly depth: number;
  readonly nodes: readonly NodeProto[];
  readonly args: ReadonlyMap<string, TensorRef>;
  /** Whether a call in it becomes nodes. */
  inlines(call: string): boolean;
  parse(text: string): TensorName;
}

interface TensorName {
  readonly node: string;
  /** Name of the op's output argument, in functions. */
  readonly argument?: string;
  readonly index: number;
}

/** `node:argument:0` */
function parseInner(text: string): TensorName {
  const [node = '', argument, index] = text.split(':');
  return argument === undefined ? { node, index: 0 } : { node, argument, index: Number(index ?? 0) };
}

/** `node:0` */
function parseOuter(text: string): TensorName {
  const { node, output } = parseTensorName(text) ?? { node: text, output: 0 };
  return { node, index: output };
}

/** The copies in front of a function's results are what they copy. */
function isTransparent({ depth }: Scope, node: NodeProto): boolean {
  return depth > 0 && node.op === 'Identity' && RESULT_NAME.test(node.name);
}

function hasPlaceholder(node: NodeProto): boolean {
  return [...node.attributes.values()].some(attribute => attributeOf(attribute).isPlaceholder === true);
}

/** Names of the nodes of the main graph that the tensors depend on. */
function neededBy(byName: ReadonlyMap<string, NodeProto>, tensors: readonly TensorRef[]): Set<string> {
  const needed = new Set<string>();
  const open = tensors.map(tensor => tensor.node);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    open.push(...(byName.get(name)?.inputs ?? []).flatMap(input => parseTensorName(input)?.node ?? []));
  }
  return needed;
}

function pathOf(path: string, call: string): string {
  const parts = call.split('/');
  if (CALL_NAME.test(parts.at(-1) ?? '')) parts.pop();
  return [path, ...parts].filter(part => part !== '').join('/');
}

function uniqueLabel(labels: Set<string>, label: string): string {
  let unique = label;
  for (let count = 1; labels.has(unique); count++) unique = `${label}_${count}`;
  labels.add(unique);
  return unique;
}

function entry(name: string, value: TensorRef | undefined): [string, TensorRef][] {
  return value === undefined ? [] : [[name, value]];
}

function damaged(expected: string, received: string): Refusal {
  return new Refusal('model-unreadable', `Expected a SavedModel with ${expected} but received ${received}`, {
    hint: 'The file may be damaged: copy or export the model again.',
  });
}
