// Files that hold the rows of several shards: whether receipts name all of their rows. Where a row is named by none, its shard
// has it in another file too, and whoever reads all files would see it twice.
import type { ShardReceipt } from './receipt.ts';

export interface SharedFiles {
  add(receipt: ShardReceipt): void;
  /** Files with rows that none of the receipts names. */
  incomplete(): readonly SharedFile[];
}

export interface SharedFile {
  readonly path: string;
  readonly unnamedRows: number;
  /** Shards that have their rows in it, ascending. */
  readonly shards: readonly number[];
}

export function createSharedFiles(): SharedFiles {
  const files = new Map<string, { readonly of: number; rows: number; readonly shards: number[] }>();
  return {
    add({ files: named, shard }): void {
      for (const { path, rows, range } of named) {
        if (range === undefined) continue;
        const file = files.get(path) ?? { of: range.of, rows: 0, shards: [] };
        files.set(path, file);
        file.rows += rows;
        file.shards.push(shard);
      }
    },
    incomplete: () =>
      [...files].flatMap(([path, { of, rows, shards }]) =>
        rows === of ? [] : [{ path, unnamedRows: of - rows, shards }],
      ),
  };
}
