// The child of compiled-model.ts: compiles a model on one engine's backend, writes the file, and ends.
import { writeFile } from 'node:fs/promises';
import { answerProbe } from '../answer-probe.ts';
import { openEngine } from '../engine.ts';
import { CannotCompile } from './cannot-compile.ts';
import { compileModel } from './compile-model.ts';
import type { CompileAnswer, CompileQuestion } from './compiled-model.ts';

await answerProbe(async ({ engine, out, ...options }: CompileQuestion): Promise<CompileAnswer> => {
  // It makes its backend the current one.
  await openEngine(engine);
  let bytes: Uint8Array;
  try {
    bytes = await compileModel(options);
  } catch (error) {
    if (!(error instanceof CannotCompile)) throw error;
    return { cannot: error.message };
  }
  try {
    await writeFile(out, bytes);
    return {};
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return { unwritable: { code, message } };
  }
});
