// Shared memory for the inputs of batches, used again and again: decoding threads write into it, nothing is copied or
// collected. For read.ts.
import type { InputBatch } from '../../../extractor/src/input-batch.ts';
import type { Recipe } from '../../../shared/src/recipe.ts';
import { givesLevels, shapeOfRecipe } from '../../../shared/src/recipe-shape.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';

/** What one image gives of one recipe: 8-bit levels where its resize ends with such, values else. */
export interface InputSlot {
  readonly recipe: Recipe;
  readonly into: Float32Array<SharedArrayBuffer> | Uint8Array<SharedArrayBuffer>;
}

/** The input of a batch, filled row by row. */
export interface BatchInput {
  readonly batch: InputBatch;
  slotOf(row: number): InputSlot;
  /** Once nobody reads or writes it any more; what is never given back is collected. */
  giveBack(): void;
}

export interface BatchBuffers {
  /** A batch of any content. */
  take(recipe: Recipe, rows: number): BatchInput;
}

/** Two shards are in hand, each with a batch at work and batches ahead. */
const KEPT = 6;

export function openBatchBuffers(): BatchBuffers {
  let free: SharedArrayBuffer[] = [];

  function takeBytes(bytes: number): SharedArrayBuffer {
    // A shard's last batch is a little smaller than the others: what it leaves must fit these.
    const size = 2 ** Math.ceil(Math.log2(bytes));
    const buffer = free.find(({ byteLength }) => byteLength >= size) ?? new SharedArrayBuffer(size);
    free = free.filter(kept => kept !== buffer);
    return buffer;
  }

  return {
    take(recipe, rows): BatchInput {
      const shapeOfRow = shapeOfRecipe(recipe);
      const size = sizeOfShape(shapeOfRow);
      const length = rows * size;
      const shape = [rows, ...shapeOfRow];
      const data = givesLevels(recipe)
        ? new Uint8Array(takeBytes(length), 0, length)
        : new Float32Array(takeBytes(length * Float32Array.BYTES_PER_ELEMENT), 0, length);
      return {
        batch: data instanceof Uint8Array ? { dtype: 'uint8', shape, data, recipe } : { dtype: 'float32', shape, data },
        slotOf: row => ({ recipe, into: data.subarray(row * size, (row + 1) * size) }),
        giveBack: () => {
          free = [data.buffer, ...free].slice(0, KEPT);
        },
      };
    },
  };
}
