// What a resize does along one axis, and a bounded cache of the weight tables it needs: for both libraries' kernels.

/** `boxSize` input positions from `boxFrom` on are resized to `outSize`, of which `count` from `from` on are wanted. */
export interface Axis {
  readonly inSize: number;
  readonly boxFrom: number;
  readonly boxSize: number;
  readonly outSize: number;
  readonly from: number;
  readonly count: number;
}

export function wholeAxis(inSize: number, outSize: number): Axis {
  return { inSize, boxFrom: 0, boxSize: inSize, outSize, from: 0, count: outSize };
}

/** True where a resize would change no position: at most some are cut off. */
export function isIdentity(axis: Axis): boolean {
  return axis.outSize === axis.inSize && axis.boxFrom === 0 && axis.boxSize === axis.inSize;
}

/** Weights of one axis: wanted output position i is the sum of `counts[i]` inputs from `starts[i]` on. */
export interface AxisTable<Weights extends Int32Array | Float32Array> {
  /** First input position of each wanted output position. */
  readonly starts: Int32Array;
  /** Number of inputs of each, at most `stride`. */
  readonly counts: Int32Array;
  /** `stride` slots for each. */
  readonly weights: Weights;
  readonly stride: number;
}

/** For each thread. A run asks for one output size, but its photos come in many input sizes: tables of 20 to 200 kB. */
export const MAX_CACHED_BYTES = 16 * 1024 * 1024;

/** Gives the table of an axis and a kernel; computed once for each pair, then cached, the youngest kept. */
export function cachedTables<Kernel extends string, Weights extends Int32Array | Float32Array>(
  compute: (axis: Axis, kernel: Kernel) => AxisTable<Weights>,
): (axis: Axis, kernel: Kernel) => AxisTable<Weights> {
  const cache = new Map<string, AxisTable<Weights>>();
  let cachedBytes = 0;
  return (axis, kernel) => {
    const { inSize, boxFrom, boxSize, outSize, from, count } = axis;
    const key = `${kernel} ${inSize} ${boxFrom} ${boxSize} ${outSize} ${from} ${count}`;
    const cached = cache.get(key);
    const table = cached ?? compute(axis, kernel);
    // A Map keeps insertion order: deleting and setting again makes this the youngest entry.
    cache.delete(key);
    cache.set(key, table);
    if (cached === undefined) cachedBytes += byteLength(table);
    // The oldest go first; a table that is larger than the bound goes as well.
    for (const [oldest, old] of cache) {
      if (cachedBytes <= MAX_CACHED_BYTES) break;
      cache.delete(oldest);
      cachedBytes -= byteLength(old);
    }
    return table;
  };
}

function byteLength({ starts, counts, weights }: AxisTable<Int32Array | Float32Array>): number {
  return starts.byteLength + counts.byteLength + weights.byteLength;
}
