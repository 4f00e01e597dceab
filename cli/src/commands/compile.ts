// layertap compile: some layers of a model as an ONNX file, for anyone's ONNX Runtime.
import { stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { CannotCompile } from '../../../extractor/src/compile/cannot-compile.ts';
import { compiledModel } from '../../../extractor/src/compile/compiled-model.ts';
import { isCompiled } from '../../../extractor/src/engine-choice.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { resolveModel } from '../../../extractor/src/model-download.ts';
import { selectLayers } from '../../../extractor/src/select.ts';
import { formatBytes } from '../../../shared/src/byte-size.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { extractOptions, outputOptions } from '../../../shared/src/extract-options.ts';
import { makeFolders } from '../../../shared/src/make-folders.ts';
import { defineCommand } from '../command.ts';

const options = {
  layer: extractOptions.layer,
  out: z.string().meta({ description: 'ONNX file to write', value: 'FILE' }),
  size: extractOptions.size,
  modelSha256: extractOptions.modelSha256,
  ...outputOptions,
} as const;

export const compile = defineCommand({
  name: 'compile',
  summary: 'Write some layers of a Keras or TensorFlow.js model as an ONNX file',
  positionals: 'MODEL',
  options,
  async run({ options, positionals }): Promise<number> {
    const [reference, ...extra] = positionals;
    if (reference === undefined || extra.length > 0) {
      throw new Refusal('bad-option', `Expected one MODEL but received ${positionals.length}`, {
        hint: 'See `npx layertap compile --help`.',
      });
    }
    const model = await openModel(await resolveModel(reference, { sha256: options.modelSha256 }));
    if (!isCompiled(model.format)) {
      throw new Refusal('bad-option', `Expected a Keras or TensorFlow.js model but ${model.path} is ${model.format}`, {
        hint: 'Extract its features as it is.',
      });
    }
    const layers = selectLayers(model.table, options.layer);
    const inputShape = inputShapeOf(model.table.inputShape, options.size);
    const out = resolve(options.out);
    try {
      const { path, sha256 } = model;
      // For any runtime: plain convolutions.
      const compiled = await compiledModel({ model: path, sha256, layers, inputShape, winograd: false });
      await makeFolders(dirname(out));
      await writeFile(out, compiled.content);
    } catch (cause) {
      if (!(cause instanceof CannotCompile)) throw cause;
      throw new Refusal('engine-unavailable', `Expected a model that can be compiled but ${cause.message}`, {
        hint: 'Take other layers, or extract with `--engine tensorflow`.',
        cause,
      });
    }
    const { size } = await stat(out);
    if (options.json) process.stdout.write(`${JSON.stringify({ out, layers, inputShape, bytes: size })}\n`);
    else
      process.stdout.write(
        `${out}: ${formatBytes(size)}, input [rows, ${inputShape.join(', ')}], outputs ${layers.join(', ')}\n`,
      );
    return 0;
  },
});

function inputShapeOf(
  declared: readonly (number | null)[],
  size: { readonly width: number; readonly height: number } | undefined,
): readonly number[] {
  const given = size === undefined ? [] : [size.height, size.width];
  return declared.map((axis, place) => {
    const length = axis ?? given[place];
    if (length !== undefined) return length;
    throw new Refusal(
      'bad-option',
      `Expected \`--size\` for a model whose input is [${declared.map(a => a ?? '?').join(', ')}]`,
      {
        hint: 'Give the width and height of its images, as in `--size 224x224`.',
      },
    );
  });
}
