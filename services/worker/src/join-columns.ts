// Puts columns that one file has beside those of the same rows in another, batch by batch; all values keep their bits.
// For add-columns.ts.
import { type Data, type Field, makeData, RecordBatch, type Schema, Struct } from 'apache-arrow';
import { okRows } from '../../../shared/src/row-schema.ts';
import { featureData, featureOfField, sizeOfShape } from '../../../shared/src/tensor.ts';

/** Some rows of a batch: [first, first + rows). */
export interface Piece {
  readonly batch: RecordBatch;
  readonly first: number;
  readonly rows: number;
}

/** Takes rows in order, however they are cut into batches. */
export function openRowReader(batches: AsyncGenerator<RecordBatch>): { take(rows: number): Promise<readonly Piece[]> } {
  let batch: RecordBatch | undefined;
  let first = 0;
  return {
    async take(wanted): Promise<readonly Piece[]> {
      const pieces: Piece[] = [];
      for (let left = wanted; left > 0; ) {
        if (batch === undefined || first === batch.numRows) {
          const next = await batches.next();
          if (next.done === true) throw new Error(`Expected ${left} more rows with the new columns`);
          batch = next.value;
          first = 0;
        }
        const rows = Math.min(left, batch.numRows - first);
        if (rows > 0) pieces.push({ batch, first, rows });
        first += rows;
        left -= rows;
      }
      return pieces;
    },
  };
}

export interface Merged {
  readonly batch: RecordBatch;
  readonly added: readonly string[];
  /** Vectors of the new columns with a value that is NaN or infinite. */
  readonly notFinite: number;
}

/** The standing columns as they lie, and those that only the pieces have. A row that failed gets none, whatever the pieces say. */
export function withColumns(schema: Schema, batch: RecordBatch, pieces: readonly Piece[]): Merged {
  requireSameSamples(batch, pieces);
  const present = okRows(batch);
  const added: string[] = [];
  let notFinite = 0;
  const children = schema.fields.map((field): Data => {
    const standing = batch.getChild(field.name)?.data[0];
    if (standing !== undefined) return standing;
    added.push(field.name);
    const column = columnOf(field, pieces, present);
    notFinite += column.notFinite;
    return column.data;
  });
  const data = makeData({ type: new Struct(schema.fields), length: batch.numRows, nullCount: 0, children });
  return { batch: new RecordBatch(schema, data), added, notFinite };
}

/** The values are copied as they lie, float16 too. */
function columnOf(
  field: Field,
  pieces: readonly Piece[],
  present: readonly boolean[],
): { readonly data: Data; readonly notFinite: number } {
  const feature = featureOfField(field);
  if (feature === undefined) throw new Error(`Expected a feature in the new column '${field.name}'`);
  const size = sizeOfShape(feature.shape);
  const half = feature.dtype === 'float16';
  const values = half ? new Uint16Array(present.length * size) : new Float32Array(present.length * size);
  let notFinite = 0;
  let row = 0;
  for (const { batch, first, rows } of pieces) {
    const data = batch.getChild(field.name)?.data[0];
    const from: unknown = data?.children[0]?.values;
    if (!(from instanceof (half ? Uint16Array : Float32Array)))
      throw new Error(`Expected ${feature.dtype} in the new column '${field.name}'`);
    for (let index = first; index < first + rows; index++, row++) {
      if (present[row] !== true) continue;
      const vector = from.subarray(index * size, (index + 1) * size);
      values.set(vector, row * size);
      if (!vector.every(half ? isFiniteHalf : Number.isFinite)) notFinite++;
    }
  }
  return { data: featureData(field, values, present), notFinite };
}

/** All bits of the exponent stand for infinity and NaN. */
function isFiniteHalf(bits: number): boolean {
  return (bits & 0x7c00) !== 0x7c00;
}

function requireSameSamples(batch: RecordBatch, pieces: readonly Piece[]): void {
  const ids = batch.getChild('sample_id');
  let row = 0;
  for (const { batch: other, first, rows } of pieces) {
    const others = other.getChild('sample_id');
    for (let index = first; index < first + rows; index++, row++) {
      if (ids?.get(row) === others?.get(index)) continue;
      throw new Error(`Expected the row of '${ids?.get(row)}' but the new columns have '${others?.get(index)}'`);
    }
  }
}
