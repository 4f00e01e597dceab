// What an operation on tensors is, apart from the names that Keras 2 and 3 give it and its arguments.
import type * as tf from '@tensorflow/tfjs';
import type { Json } from '../../layer-graph.ts';
import type { Tfjs } from '../../tfjs.ts';
import type { Filled } from '../call-values.ts';
import { flatConstant } from '../config-values.ts';
import type { Shape } from '../layer-definition.ts';

/** A tensor of which only the shape is known. */
export interface ShapeOnly {
  readonly shape: Shape;
}

export interface Operation {
  /** Names of the arguments, in the order of Keras 3's signature. */
  readonly parameters: readonly string[];
  /** One shape per output. */
  readonly shapes: (values: OperationValues<ShapeOnly>) => readonly Shape[];
  readonly compute: (tf: Tfjs, values: OperationValues<tf.Tensor>) => tf.Tensor | readonly tf.Tensor[];
}

export type Operations = Readonly<Record<string, Operation>>;

/** How the values of one kind of tensors are read. */
export interface TensorKind<T> {
  readonly isTensor: (value: Filled<T>) => value is T;
  readonly fromConstant: (shape: readonly number[], values: readonly number[]) => T;
  /** The numbers in a small tensor of whole numbers, such as a shape; null where they are known only at a run. */
  readonly numbersIn: (tensor: T) => readonly (number | null)[];
}

/** The arguments of one call, by name. */
export class OperationValues<T extends { readonly shape: Shape }> {
  private readonly values: { readonly [name: string]: Filled<T> };
  private readonly kind: TensorKind<T>;

  constructor(values: { readonly [name: string]: Filled<T> }, kind: TensorKind<T>) {
    this.values = values;
    this.kind = kind;
  }

  has(name: string): boolean {
    return this.values[name] !== null && this.values[name] !== undefined;
  }

  /** As it is: for keys of slices and the like. */
  raw(name: string): Filled<T> {
    return this.values[name] ?? null;
  }

  /** A tensor, or a constant as one. */
  tensor(name: string): T {
    return this.asTensor(this.values[name], name);
  }

  /** A list of tensors and constants. */
  tensors(name: string): readonly T[] {
    const value = this.values[name];
    if (!Array.isArray(value)) return [this.tensor(name)];
    return (value as readonly Filled<T>[]).map(entry => this.asTensor(entry, name));
  }

  number(name: string, fallback: number): number {
    const [number] = this.sizes(name) ?? [];
    return number ?? fallback;
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.values[name];
    return typeof value === 'boolean' ? value : fallback;
  }

  text(name: string, fallback: string): string {
    const value = this.values[name];
    return typeof value === 'string' ? value : fallback;
  }

  /** Whole numbers such as sizes or axes, with null for what a tensor will say; undefined where nothing is given. */
  sizes(name: string): readonly (number | null)[] | undefined {
    const value = this.values[name];
    if (value === null || value === undefined) return undefined;
    const entries = Array.isArray(value) ? (value as readonly Filled<T>[]) : [value];
    return entries.flatMap((entry): readonly (number | null)[] => {
      if (typeof entry === 'number') return [entry];
      if (entry !== null && this.kind.isTensor(entry)) return this.kind.numbersIn(entry);
      if (Array.isArray(entry)) throw new Error(`Expected a flat list for \`${name}\``);
      return [null];
    });
  }

  /** Axes to work along; undefined means all. */
  axes(name: string): readonly number[] | undefined {
    return this.sizes(name)?.map(axis => axis ?? 0);
  }

  /** All plain settings, as a layer's config would hold them. */
  settings(): { readonly [name: string]: Json } {
    const entries = Object.entries(this.values).filter(([, value]) => !this.kind.isTensor(value));
    return Object.fromEntries(entries) as { readonly [name: string]: Json };
  }

  private asTensor(value: Filled<T> | undefined, name: string): T {
    if (value === undefined || value === null) throw new Error(`Expected a tensor for \`${name}\` but received none`);
    if (this.kind.isTensor(value)) return value;
    const { shape, values } = flatConstant(value as Json);
    return this.kind.fromConstant(shape, values);
  }
}
