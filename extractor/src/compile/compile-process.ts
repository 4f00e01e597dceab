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
  try {
    await writeFile(out, await compileModel(options));
    return {};
  } catch (error) {
    if (!(error instanceof CannotCompile)) throw error;
    return { cannot: error.message };
  }
});
