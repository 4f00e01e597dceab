// The WebAssembly module of extractor/assembly, which each thread compiles once.
import { readFileSync } from 'node:fs';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';

/** What the files of extractor/assembly export that the caller names. */
export type Assembly<Exports> = Exports & { readonly memory: WebAssembly.Memory };

const PAGE_BYTES = 65_536;

let compiled: WebAssembly.Module | undefined;

/** A new instance, with a memory of its own. */
export function instantiateAssembly<Exports>(): Assembly<Exports> {
  compiled ??= new WebAssembly.Module(readFileSync(compiledUrl('../../assembly/preprocess.wasm', import.meta.url)));
  return new WebAssembly.Instance(compiled).exports as unknown as Assembly<Exports>;
}

/** Makes the memory that large at least: views of it from before are empty then. */
export function growTo(memory: WebAssembly.Memory, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
}
