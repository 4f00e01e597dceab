// The wasm engine: the contract, on the npm registry alone.
import { openWasmEngine } from '../../../extractor/src/engines/wasm.ts';
import { testEngine } from './engine-conformance.ts';
import { smallEngine } from './small-engine.ts';

testEngine('wasm', smallEngine(openWasmEngine));
