// The arguments of a layer's call as a template: constants with slots for the tensors, filled by shapes or by values.
import type { CallValue, InputSlot, LayerCall } from '../layer-graph.ts';

/** A template whose slots are filled. */
export type Filled<T> =
  | T
  | null
  | boolean
  | number
  | string
  | readonly Filled<T>[]
  | { readonly [name: string]: Filled<T> };

export function isSlot(value: CallValue): value is InputSlot {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    typeof (value as { $input?: unknown }).$input === 'number'
  );
}

/** Replaces each slot by what `pick` gives for it. */
export function fillSlots<T>(value: CallValue, pick: (input: number) => T): Filled<T> {
  if (isSlot(value)) return pick(value.$input);
  if (Array.isArray(value)) return (value as readonly CallValue[]).map(entry => fillSlots(entry, pick));
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value as { readonly [name: string]: CallValue });
    return Object.fromEntries(entries.map(([name, entry]) => [name, fillSlots(entry, pick)]));
  }
  return value;
}

/** How often the call takes a tensor. */
export function countSlots({ args, kwargs }: CallTemplate): number {
  let count = 0;
  fillSlots([args, kwargs], () => {
    count++;
    return null;
  });
  return count;
}

export interface CallTemplate {
  readonly args: readonly CallValue[];
  readonly kwargs: { readonly [name: string]: CallValue };
}

/**
 * The call with each tensor once. TensorFlow.js counts the users of a tensor to free it early, and counts wrong
 * for a layer that takes the same tensor twice.
 */
export function withoutRepeats(call: LayerCall): LayerCall {
  const keys = call.inputs.map(tensor => `${tensor.call}:${tensor.output}`);
  const distinct = [...new Set(keys)];
  if (distinct.length === keys.length) return call;
  const renumber = (input: number): InputSlot => ({ $input: distinct.indexOf(keys[input] ?? '') });
  return {
    ...call,
    inputs: distinct.flatMap(key => call.inputs[keys.indexOf(key)] ?? []),
    args: call.args.map(value => fillSlots(value, renumber) as CallValue),
    kwargs: fillSlots(call.kwargs, renumber) as LayerCall['kwargs'],
  };
}

/**
 * The arguments by name: Keras' call signature gives the names of the positional ones.
 * @throws Error for more positional arguments than names
 */
export function bindArguments(
  { args, kwargs }: CallTemplate,
  names: readonly string[],
): { readonly [name: string]: CallValue } {
  if (args.length > names.length)
    throw new Error(`Expected at most ${names.length} arguments but received ${args.length}`);
  return { ...Object.fromEntries(args.map((value, index) => [names[index] ?? '', value])), ...kwargs };
}
