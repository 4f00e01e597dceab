// layertap compile: the file that it writes, as this project and anybody else opens it, and what it refuses.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { compiledModel } from '../../../extractor/src/compile/compiled-model.ts';
import { openOnnxEngine } from '../../../extractor/src/engines/onnx.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { batchOf } from '../../extractor/engines/engine-conformance.ts';
import { saveSmallModel, useWasm } from '../../extractor/small-model.ts';
import { DEMO_MODEL } from '../../support/demo-set.ts';
import { run } from '../../support/layertap.ts';
import { operatorsOf } from '../../support/onnx-models.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const MODEL = fileURLToPath(new URL('../../conformance/golden/mobilenet-v3-keras.keras', import.meta.url));

describe('layertap compile', () => {
  test('writes the layers as an ONNX file that gives the same values, channels last', async () => {
    const out = join(await temporaryFolder(), 'new', 'demo.onnx');
    const result = await run([
      'compile',
      DEMO_MODEL,
      '--layer',
      'conv4',
      '--layer',
      'features',
      '--out',
      out,
      '--json',
    ]);
    expect(result.stderr).toBe('');
    expect(JSON.parse(result.stdout)).toEqual({
      out,
      layers: ['conv4', 'features'],
      inputShape: [64, 64, 3],
      bytes: expect.any(Number),
    });
    const { format, table } = await openModel(out);
    expect({ format, outputs: table.outputs, inputShape: table.inputShape }).toEqual({
      format: 'onnx',
      outputs: ['conv4', 'features'],
      inputShape: [64, 64, 3],
    });
    const input = batchOf([64, 64, 3], 2);
    const engine = await openOnnxEngine();
    const [fromFile, fromModel] = await Promise.all(
      [out, DEMO_MODEL].map(async model => {
        const extractor = await engine.load({ model, layers: ['conv4', 'features'], inputShape: [64, 64, 3] });
        const tensors = await extractor.run(input);
        await extractor.close();
        return tensors;
      }),
    );
    expect(fromFile).toEqual(fromModel);
  });

  test('has plain convolutions, for any runtime, where the engine would have other ones', async () => {
    await useWasm();
    const { layers, sequential } = tfjs();
    const wide = sequential({ name: 'wide' });
    const each = { filters: 64, kernelSize: 3, padding: 'same' } as const;
    wide.add(layers.conv2d({ ...each, name: 'first', inputShape: [16, 16, 3] }));
    wide.add(layers.conv2d({ ...each, name: 'second' }));
    const folder = await temporaryFolder();
    const model = await saveSmallModel(wide, folder);
    const out = join(folder, 'wide.onnx');
    expect((await run(['compile', model, '--layer', 'second', '--out', out])).code).toBe(0);
    expect((await operatorsOf(out)).Conv).toBe(2);
    const { sha256 } = await openModel(model);
    const own = await compiledModel({ model, sha256, layers: ['second'], inputShape: [16, 16, 3], cache: folder });
    const isX64 = process.arch === 'x64';
    expect(((await operatorsOf(own.content)).Conv ?? 0) > 2).toBe(isX64);
  });

  test('wants the size of a model that leaves it open', async () => {
    const out = join(await temporaryFolder(), 'open.onnx');
    const flags = [MODEL, '--layer', 'outputs', '--out', out];
    const refused = await run(['compile', ...flags]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('Expected `--size` for a model whose input is [?, ?, 3]');
    expect((await run(['compile', ...flags, '--size', '40x32'])).stdout).toContain('input [rows, 32, 40, 3]');
  });

  test('refuses what is ONNX already, and what cannot be compiled, and writes nothing', async () => {
    const folder = await temporaryFolder();
    const onnx = fileURLToPath(new URL('../../extractor/models/golden/onnx/half.onnx', import.meta.url));
    const loop = fileURLToPath(new URL('../../extractor/models/golden/small-graph-model', import.meta.url));
    const out = join(folder, 'x.onnx');
    const already = await run(['compile', onnx, '--layer', 'outputs', '--out', out]);
    expect([already.code, already.stderr]).toEqual([
      2,
      expect.stringMatching(/Expected a Keras or TensorFlow.js model but .* is onnx/),
    ]);
    const looping = await run(['compile', loop, '--layer', 'pooled', '--size', '10x12', '--out', out]);
    expect([looping.code, looping.stderr]).toEqual([
      1,
      expect.stringContaining('can be compiled but it has branches or loops'),
    ]);
    expect(await readdir(folder)).toEqual([]);
  });
});
