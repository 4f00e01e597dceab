// Arithmetic on shapes with open axes, shared by the families of layers and operations.
import { fromStart, type Shape } from './layer-definition.ts';

/** NumPy's broadcasting; an open axis stays open unless the other tensor has a size there. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, index) => {
    const [left = 1, right = 1] = [a[a.length - rank + index], b[b.length - rank + index]];
    if (left === 1) return right;
    if (right === 1) return left;
    if (left !== null && right !== null && left !== right) {
      throw new Error(`Expected shapes that broadcast but received [${a.join(', ')}] and [${b.join(', ')}]`);
    }
    return left ?? right;
  });
}

/** Behind a reduction over some axes, or all of them. */
export function reducedShape(shape: Shape, axes: readonly number[] | undefined, keep: 'keep' | 'drop'): Shape {
  const reduced = axes?.map(axis => fromStart(axis, shape.length)) ?? shape.map((_, axis) => axis);
  return shape.flatMap((size, axis) => {
    if (!reduced.includes(axis)) return [size];
    return keep === 'keep' ? [1] : [];
  });
}

/** Target sizes with −1 worked out from the input's where they are known; null for what stays open. */
export function reshapedShape(input: Shape, target: Shape): Shape {
  const open = input.filter(size => size === null).length;
  const unknown = target.filter(size => size === null).length;
  const missing = target.indexOf(-1);
  if (missing < 0) return target;
  // One open axis that is carried over as it is cancels out.
  if (open !== unknown) {
    if (open === 1 && unknown === 0) return target.map(size => (size === -1 ? null : size));
    return target.map(size => (size === -1 ? null : size));
  }
  const product = (shape: Shape): number =>
    shape.reduce<number>((sum, size) => sum * (size === null || size === -1 ? 1 : size), 1);
  return target.map(size => (size === -1 ? product(input) / product(target) : size));
}

/** Sizes with a padding before and after each axis; negative ones crop. */
export function paddedShape(shape: Shape, pads: readonly (readonly [number, number])[]): Shape {
  return shape.map((size, axis) => (size === null ? null : size + (pads[axis]?.[0] ?? 0) + (pads[axis]?.[1] ?? 0)));
}
