// The order and reach of a TensorFlow graph: makers before takers, what depends on the image, what runs only sometimes.
import type { GraphNode, ImageGraph } from './graph-nodes.ts';

/** Nodes by name. */
export type NodeMap = ReadonlyMap<string, GraphNode>;

/** Makers before takers, otherwise as in the file; the nodes of a loop keep the file's order where they cannot. */
export function inOrder(nodes: readonly GraphNode[], byName: NodeMap): GraphNode[] {
  const ordered: GraphNode[] = [];
  const entered = new Set<string>();
  for (const root of nodes) {
    // An own stack: graphs are deeper than the one of JavaScript.
    const stack: { node: GraphNode; next: number }[] = [];
    const enter = (node: GraphNode | undefined): void => {
      if (node === undefined || entered.has(node.name)) return;
      entered.add(node.name);
      stack.push({ node, next: 0 });
    };
    enter(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const input = top.node.inputs[top.next];
      top.next++;
      if (input !== undefined) enter(byName.get(input.node));
      else {
        ordered.push(top.node);
        stack.pop();
      }
    }
  }
  return ordered;
}

/** Names of the nodes that take, directly or not, what one of `starts` gives; the starts included, `ends` not gone beyond. */
export function reachedFrom(
  graph: Pick<ImageGraph, 'nodes'>,
  starts: readonly string[],
  ends: ReadonlySet<string> = new Set(),
): Set<string> {
  const takers = new Map<string, GraphNode[]>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      const known = takers.get(input.node);
      if (known === undefined) takers.set(input.node, [node]);
      else known.push(node);
    }
  }
  const reached = new Set(starts);
  const open = [...starts];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const taker of takers.get(name) ?? []) {
      if (reached.has(taker.name) || ends.has(taker.op)) continue;
      reached.add(taker.name);
      open.push(taker.name);
    }
  }
  return reached;
}

/** Why nodes inside a loop or a branch of the old kind (Enter … Exit, Switch … Merge) give no value of their own. */
export function insideControlFlow(graph: Pick<ImageGraph, 'nodes'>): ReadonlyMap<string, string> {
  const startsOf = (op: string): string[] => graph.nodes.filter(node => node.op === op).map(node => node.name);
  const reasons = new Map<string, string>();
  for (const name of reachedFrom(graph, startsOf('Switch'), new Set(['Merge', 'Exit']))) {
    reasons.set(name, 'it is computed in one branch of a condition only');
  }
  for (const name of reachedFrom(graph, startsOf('Enter'), new Set(['Exit']))) {
    reasons.set(name, 'it is computed once per turn of a loop');
  }
  return reasons;
}
