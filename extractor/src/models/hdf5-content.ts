// What was read from an HDF5 file: its groups, attributes and datasets as plain values. Made by hdf5-walk.ts, used by the weight readers.

export type Hdf5Attribute = string | number | readonly string[] | readonly number[];

export interface Hdf5Dataset {
  /** Path from the root of the file: `layers/conv2d/vars/0`. */
  readonly path: string;
  readonly shape: readonly number[];
  /** As stored: `float32`, `float16`, `bfloat16`, `int64`, `uint8` …; `other` for what is no number. */
  readonly dtype: string;
  /** All numbers, row-major, converted to float32. Undefined where no data were asked for, and for `other`. */
  readonly data: Float32Array | undefined;
}

export interface Hdf5Group {
  /** Path from the root of the file; empty for the root. */
  readonly path: string;
  readonly attributes: ReadonlyMap<string, Hdf5Attribute>;
  readonly groups: ReadonlyMap<string, Hdf5Group>;
  readonly datasets: ReadonlyMap<string, Hdf5Dataset>;
}

/** The group at a path below another, or undefined. Slashes separate; empty parts count for nothing, as in HDF5. */
export function groupAt(root: Hdf5Group, path: string): Hdf5Group | undefined {
  let group: Hdf5Group | undefined = root;
  for (const part of path.split('/').filter(name => name !== '')) group = group?.groups.get(part);
  return group;
}

/** The dataset at a path below a group, or undefined. */
export function datasetAt(root: Hdf5Group, path: string): Hdf5Dataset | undefined {
  const parts = path.split('/').filter(name => name !== '');
  const name = parts.pop();
  return name === undefined ? undefined : groupAt(root, parts.join('/'))?.datasets.get(name);
}

/**
 * A text, such as `model_config`; Keras cuts lists over 64 kB into `NAME0`, `NAME1` …, and a text may be cut so, too.
 * Undefined where there is none.
 */
export function textAttribute(group: Hdf5Group, name: string): string | undefined {
  const parts = attributeParts(group, name);
  return parts.length === 0 ? undefined : parts.join('');
}

/** A list of texts, such as `weight_names`, whole or in pieces. Empty where there is none. */
export function listAttribute(group: Hdf5Group, name: string): readonly string[] {
  return attributeParts(group, name);
}

function attributeParts(group: Hdf5Group, name: string): readonly string[] {
  const whole = group.attributes.get(name);
  if (whole !== undefined) return textsOf(whole);
  const parts: string[] = [];
  for (let i = 0; ; i++) {
    const part = group.attributes.get(`${name}${i}`);
    if (part === undefined) return parts;
    parts.push(...textsOf(part));
  }
}

/** An empty list has no type of its own and comes as numbers. */
function textsOf(value: Hdf5Attribute): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'number' ? [] : value.filter(item => typeof item === 'string');
}
