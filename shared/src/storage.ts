// The storage contract: where a run directory lives. Implementations stand in storages/.

/** A file being written under a temporary name: invisible to readers until published. */
export interface StagedFile {
  write(bytes: Uint8Array): Promise<void>;
  /** Flushes to stable storage what was written: from here on the file cannot lack room any more. */
  flush(): Promise<void>;
  /** Flushes and gives the file its final name, in place of one that has it. Ends the staged file. */
  publish(path: string): Promise<void>;
  /** Like `publish`, but leaves a file of that name as it is and resolves to false. */
  publishOnce(path: string): Promise<boolean>;
  /** Removes what was written. Ends the staged file; safe to call twice and after `publish`. */
  abort(): Promise<void>;
}

export interface StorageEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** All paths are relative to the storage's root, with `/`. */
export interface Storage {
  /** The root as a user would name it, for messages. */
  readonly root: string;
  /** The bytes of a file, or undefined when there is none. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** The bytes of a file piece by piece: for files that may not fit into memory. Throws where there is none. */
  stream(path: string): AsyncIterable<Uint8Array>;
  /** Opens a temporary file in `directory`. */
  stage(directory: string): Promise<StagedFile>;
  /** Writes a whole file that must not exist yet; false when one does (it is left as it is). */
  createOnce(path: string, bytes: Uint8Array): Promise<boolean>;
  /** Writes a whole file, replacing one atomically. */
  replace(path: string, bytes: Uint8Array): Promise<void>;
  /** All files below `directory`, in no order; none when it does not exist. */
  list(directory: string): AsyncIterable<string>;
  /** What lies right below the root, empty folders too; nothing when it does not exist. */
  entries(): Promise<readonly StorageEntry[]>;
  /** Bytes of a file, or undefined when there is none: without reading it. */
  size(path: string): Promise<number | undefined>;
  /** Removes a file; no error when there is none. */
  remove(path: string): Promise<void>;
  /** Removes a folder with all that is in it; no error when there is none. */
  removeFolder(path: string): Promise<void>;
}
