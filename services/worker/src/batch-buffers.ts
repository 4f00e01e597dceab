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

export function openBatchBuffers(): BatchBuffers {
  /** The largest first. */
  let free: SharedArrayBuffer[] = [];
  let taken = 0;
  let mostTaken = 0;

  function takeBytes(bytes: number): SharedArrayBuffer {
    mostTaken = Math.max(mostTaken, ++taken);
    // A shard's last batch is a little smaller than the others: what it leaves must fit these.
    const buffer =
      free.findLast(({ byteLength }) => byteLength >= bytes) ?? new SharedArrayBuffer(2 ** Math.ceil(Math.log2(bytes)));
    free = free.filter(kept => kept !== buffer);
    return buffer;
  }

  function giveBack(buffer: SharedArrayBuffer): void {
    taken--;
    free = [...free, buffer].sort((a, b) => b.byteLength - a.byteLength).slice(0, mostTaken - taken);
  }

  return {
    take(recipe, rows): BatchInput {
      const row = shapeOfRecipe(recipe);
      const shape = [rows, ...row];
      const size = sizeOfShape(row);
      const length = rows * size;
      if (givesLevels(recipe)) {
        const data = new Uint8Array(takeBytes(length), 0, length);
        return {
          batch: { dtype: 'uint8', shape, data, recipe },
          slotOf: row => ({ recipe, into: data.subarray(row * size, (row + 1) * size) }),
          giveBack: () => giveBack(data.buffer),
        };
      }
      const data = new Float32Array(takeBytes(length * Float32Array.BYTES_PER_ELEMENT), 0, length);
      return {
        batch: { dtype: 'float32', shape, data },
        slotOf: row => ({ recipe, into: data.subarray(row * size, (row + 1) * size) }),
        giveBack: () => giveBack(data.buffer),
      };
    },
  };
}
