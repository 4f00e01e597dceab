// The WebAssembly module of extractor/assembly, which each thread compiles once.
import { readFileSync } from 'node:fs';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';

let compiled: WebAssembly.Module | undefined;

/** A new instance, with a memory of its own. @returns what the files of extractor/assembly export */
export function instantiateAssembly<Exports>(): Exports & { readonly memory: WebAssembly.Memory } {
  compiled ??= new WebAssembly.Module(readFileSync(compiledUrl('../../assembly/preprocess.wasm', import.meta.url)));
  return new WebAssembly.Instance(compiled).exports as unknown as Exports & { readonly memory: WebAssembly.Memory };
}
