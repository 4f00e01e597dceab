// Damaged ONNX files end as a Refusal or a loaded model, quickly and in bounded memory; onnx-fuzz.ts as a command tries
// as many as are asked for.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openModel } from '../../../extractor/src/model.ts';
import { encodeField } from '../../../extractor/src/models/protobuf.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { node, onnxModel, valueInfo } from '../onnx-model.ts';
import { fuzzOnnx } from './onnx-fuzz.ts';

test('of 60 damaged files none crashes, hangs, fills the memory or ends as anything but a refusal', async () => {
  const { refused, refusedByRuntime, loaded, failures, largestRssMb } = await fuzzOnnx(60, 1);
  expect(failures).toEqual([]);
  expect(refused + refusedByRuntime + loaded).toBe(60);
  expect(largestRssMb).toBeLessThan(600);
  // Otherwise the damage would prove nothing.
  for (const count of [refused, refusedByRuntime, loaded]) expect(count).toBeGreaterThan(0);
});

test('graphs nested thousands deep, and 200,000 empty nodes, are refused', async () => {
  let nested: Uint8Array = node('Relu', ['image'], 'relu');
  // Around it a graph, in an attribute of a node.
  for (let depth = 0; depth < 3000; depth++) nested = encodeField(5, encodeField(6, encodeField(1, nested)));
  const empty = Array.from({ length: 200_000 }, () => new Uint8Array());
  for (const nodes of [[nested], empty]) {
    const path = join(await temporaryFolder(), 'hostile.onnx');
    await writeFile(path, onnxModel({ nodes, inputs: [valueInfo('image', [null, 3, 8, 6])], outputs: [] }));
    await expect(openModel(path)).rejects.toMatchObject({ code: 'model-unreadable' });
  }
});
