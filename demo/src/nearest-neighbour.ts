// How well rows of numbers tell classes apart: nearest-neighbour accuracy by cosine. For training, tests and anyone's features.

export interface LabelledRows {
  /** One row per sample, row-major. */
  readonly values: Float32Array;
  /** One label per row. */
  readonly labels: readonly string[];
}

/**
 * Share of rows whose most similar other row has the same label (leave-one-out, cosine similarity), 0 … 1.
 * Nothing is fitted to the rows, so the number speaks of the rows alone. A tie goes to the earlier row.
 */
export function nearestNeighbourAccuracy(rows: LabelledRows): number {
  const count = rows.labels.length;
  if (count < 2 || rows.values.length % count !== 0) {
    throw new Error(`Expected values for at least 2 rows but received ${rows.values.length} for ${count} labels`);
  }
  const unit = unitRows(rows.values, count);
  const nearest = unit.map(() => ({ row: -1, similarity: Number.NEGATIVE_INFINITY }));
  const offer = (to: number, row: number, similarity: number): void => {
    const best = nearest[to];
    if (best === undefined || similarity < best.similarity) return;
    if (similarity === best.similarity && row > best.row) return;
    best.row = row;
    best.similarity = similarity;
  };
  unit.forEach((a, i) => {
    for (const [j, b] of unit.slice(0, i).entries()) {
      const similarity = dot(a, b);
      offer(i, j, similarity);
      offer(j, i, similarity);
    }
  });
  return nearest.filter((best, row) => rows.labels[best.row] === rows.labels[row]).length / count;
}

/** Rows of length one; a row of zeros stays as it is and resembles nothing. */
function unitRows(values: Float32Array, count: number): readonly Float32Array[] {
  const size = values.length / count;
  return Array.from({ length: count }, (_, index) => {
    const row = values.slice(index * size, (index + 1) * size);
    const length = Math.sqrt(dot(row, row));
    return length === 0 ? row : row.map(value => value / length);
  });
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}
