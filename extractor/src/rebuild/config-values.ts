// Reading a layer's config by type, with Keras' own defaults for fields that older files leave out.
import type { Json, JsonObject } from '../layer-graph.ts';

export function numberIn(config: JsonObject, field: string, fallback: number): number {
  const value = config[field];
  return typeof value === 'number' ? value : fallback;
}

export function booleanIn(config: JsonObject, field: string, fallback: boolean): boolean {
  const value = config[field];
  return typeof value === 'boolean' ? value : fallback;
}

export function textIn(config: JsonObject, field: string, fallback: string): string {
  const value = config[field];
  return typeof value === 'string' ? value : fallback;
}

/** A number or a list of numbers as a list; undefined for anything else, such as null. */
export function numbersOf(value: Json | undefined): readonly number[] | undefined {
  if (typeof value === 'number') return [value];
  if (!Array.isArray(value)) return undefined;
  const numbers = (value as readonly Json[]).filter(entry => typeof entry === 'number');
  return numbers.length === value.length ? numbers : undefined;
}

/** One number for each of `count` axes; a single one stands for all. */
export function perAxis(config: JsonObject, field: string, count: number, fallback: number): readonly number[] {
  const numbers = numbersOf(config[field]) ?? [fallback];
  if (numbers.length === count) return numbers;
  if (numbers.length === 1) return Array.from({ length: count }, () => numbers[0] ?? fallback);
  throw new Error(`Expected ${count} numbers for \`${field}\` but received ${numbers.length}`);
}

/** Padding or cropping before and after each of `count` axes: from one number, one per axis, or a pair per axis. */
export function pairsPerAxis(config: JsonObject, field: string, count: number): readonly (readonly [number, number])[] {
  const value = config[field];
  if (Array.isArray(value) && value.some(Array.isArray)) {
    return (value as readonly Json[]).map(pair => {
      const [before = 0, after = 0] = numbersOf(pair) ?? [];
      return [before, after];
    });
  }
  const numbers = numbersOf(value) ?? [1];
  // One axis has its pair as a plain list: Cropping1D's [1, 2].
  if (count === 1 && numbers.length === 2) return [[numbers[0] ?? 0, numbers[1] ?? 0]];
  return perAxis(config, field, count, 1).map(size => [size, size]);
}

/** All numbers of a constant, however deeply its lists are nested, and the shape of that nesting. */
export function flatConstant(value: Json): { readonly shape: readonly number[]; readonly values: readonly number[] } {
  if (typeof value === 'number') return { shape: [], values: [value] };
  if (typeof value === 'boolean') return { shape: [], values: [value ? 1 : 0] };
  if (!Array.isArray(value)) throw new Error(`Expected a number or a list of numbers but received ${typeof value}`);
  const entries = (value as readonly Json[]).map(flatConstant);
  return { shape: [entries.length, ...(entries[0]?.shape ?? [])], values: entries.flatMap(entry => entry.values) };
}
