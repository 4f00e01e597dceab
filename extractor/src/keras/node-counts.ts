// What the references in a functional config tell of its layers: where their calls are counted from, and how much they give.
import type { InboundNode, NamedTensor } from './inbound-nodes.ts';

/**
 * A nested model of Keras 2 counts its own inputs as its first call, so that references to it begin at 1. The last call
 * is always referred to, which shows where the counting began.
 */
export function nodeShifts(
  nodes: ReadonlyMap<string, readonly InboundNode[]>,
  references: readonly NamedTensor[],
): ReadonlyMap<string, number> {
  const last = new Map<string, number>();
  for (const { layer, node } of references) {
    last.set(layer, Math.max(node, last.get(layer) ?? 0));
  }
  const shifts = new Map<string, number>();
  for (const [layer, node] of last) {
    const calls = nodes.get(layer)?.length ?? 0;
    if (calls > 0 && node >= calls) shifts.set(layer, node - calls + 1);
  }
  return shifts;
}

/** How many tensors each layer gives, as far as they are referred to: more than one for a few operations only. */
export function outputCounts(references: readonly NamedTensor[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { layer, output } of references) {
    counts.set(layer, Math.max(output + 1, counts.get(layer) ?? 1));
  }
  return counts;
}
