// The reader of ONNX files: layers, layouts, cutting a model down, and files that are not whole.
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openModel } from '../../../extractor/src/model.ts';
import { readOnnxFile, withOutputs } from '../../../extractor/src/models/onnx-file.ts';
import { readGraph } from '../../../extractor/src/models/onnx-graph.ts';
import { encodeField, readFields, textOf } from '../../../extractor/src/models/protobuf.ts';
import { selectLayers } from '../../../extractor/src/select.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import {
  floatTensor,
  intAttribute,
  intsAttribute,
  node,
  type OnnxParts,
  onnxModel,
  type SmallOnnxOptions,
  smallOnnx,
  valueInfo,
} from '../onnx-model.ts';
import { missing, ONNX_MODELS, whyNoShared } from '../shared-material.ts';

describe('the layers of an ONNX file', () => {
  test('are its nodes, named by the tensors they give, with channels last', async () => {
    const { table, format } = await openModel(await save());
    expect(format).toBe('onnx');
    expect(table.inputShape).toEqual([8, 6, 3]);
    expect(table.outputs).toEqual(['scores', 'unused']);
    expect(table.layers).toEqual([
      { index: 0, name: 'image', className: 'Input', outputShape: [8, 6, 3], parameters: 0, inbound: [] },
      { index: 1, name: 'conv', className: 'Conv', outputShape: [], parameters: 112, inbound: ['image'] },
      { index: 2, name: 'relu', className: 'Relu', outputShape: [], parameters: 0, inbound: ['conv'] },
      { index: 3, name: 'unused', className: 'Mul', outputShape: [8, 6, 4], parameters: 1, inbound: ['relu'] },
      { index: 4, name: 'pool', className: 'GlobalAveragePool', outputShape: [], parameters: 0, inbound: ['relu'] },
      {
        index: 5,
        name: 'flat',
        className: 'Reshape',
        outputShape: [],
        parameters: 0,
        inbound: ['pool'],
        channelAxis: 'unknown',
      },
      { index: 6, name: 'logits', className: 'MatMul', outputShape: [], parameters: 20, inbound: ['flat'] },
      { index: 7, name: 'scores', className: 'Softmax', outputShape: [5], parameters: 0, inbound: ['logits'] },
    ]);
  });

  test('have every output of a node, and no constants, which give their parameters to who takes them', async () => {
    const model = await openModel(
      await saveGraph({
        nodes: [
          node('Split', ['image'], 'a/1 b:2', [intAttribute('axis', 2)]),
          node('Transpose', ['matrix'], 'dense', [intsAttribute('perm', [1, 0])]),
          node('MatMul', ['b:2', 'dense'], '245'),
          node('Shape', ['245'], 'size'),
          node('SequenceConstruct', ['a/1', 'b:2'], 'both'),
        ],
        weights: [floatTensor('matrix', [5, 6], new Float32Array(30))],
        inputs: [valueInfo('image', [null, 3, 8, 6])],
        outputs: [valueInfo('245', [])],
      }),
    );
    expect(model.table.layers.map(layer => [layer.name, layer.className, layer.parameters, layer.inbound])).toEqual([
      ['image', 'Input', 0, []],
      ['a/1', 'Split', 0, ['image']],
      ['b:2', 'Split', 0, ['image']],
      ['245', 'MatMul', 30, ['b:2']],
      ['size', 'Shape', 0, ['245']],
      ['both', 'SequenceConstruct', 0, ['a/1', 'b:2']],
    ]);
    expect(model.table.layers.map(layer => layer.unsupported)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      'it is made of sizes alone, no feature',
      'it gives a sequence, no tensor',
    ]);
    expect(selectLayers(model.table, ['245', '3', 'b:2'])).toEqual(['245', 'b:2']);
    expect(await model.shapesFor([8, 6, 3], ['b:2', 'a/1', '245'])).toEqual([
      [4, 6, 3],
      [4, 6, 3],
      [4, 5, 3],
    ]);
    await expect(model.shapesFor([8, 6, 3], ['both'])).rejects.toMatchObject({
      code: 'unknown-layer',
      message: "Expected a layer whose values can be had but 'both' cannot: it gives a sequence, no tensor",
    });
  });

  test('have their shapes found by a run', async () => {
    const model = await openModel(await save({ inputDims: [null, 3, null, null] }));
    expect(model.table.inputShape).toEqual([null, null, 3]);
    expect(await model.shapesFor([10, 9, 3], ['relu', 'pool', 'scores'])).toEqual([[10, 9, 4], [1, 1, 4], [5]]);
    await expect(model.shapesFor([10, 9, 1], ['relu'])).rejects.toMatchObject({ code: 'recipe-mismatch' });
    await expect(model.shapesFor([10, 9, 3], ['rely'])).rejects.toMatchObject({ code: 'unknown-layer' });
  });

  test.skipIf(missing(ONNX_MODELS))(
    `of real files are nodes without the constants${whyNoShared(ONNX_MODELS)}`,
    async () => {
      const { table } = await openModel(join(ONNX_MODELS, 'ch_ppocr_mobile_v2.0_cls_infer.onnx'));
      expect(table.layers).toHaveLength(240);
      expect(table.layers[1]).toMatchObject({
        name: 'conv2d_53.tmp_0',
        className: 'Conv',
        parameters: 216,
        inbound: ['x'],
      });
    },
  );
});

describe('a model cut down to a layer', () => {
  test('has that output and no node or weight that it does not need', async () => {
    const file = await readOnnxFile(await save({ weightsAsInputs: true }));
    const graph = graphOf(withOutputs(file, ['relu']));
    expect(graph.outputs.map(output => output.name)).toEqual(['relu']);
    expect(graph.nodes.flatMap(node => node.outputs)).toEqual(['conv', 'relu']);
    expect(graph.weights.map(weight => weight.name)).toEqual(['kernel', 'bias']);
    expect(graph.inputs.map(input => input.name)).toEqual(['image']);
  });

  test('keeps every other byte, fields that are unknown here included', async () => {
    const file = await readOnnxFile(await save());
    const before = [...readFields(file.bytes)];
    const after = [...readFields(withOutputs(file, ['relu']))];
    expect(after.map(field => field.number)).toEqual(before.map(field => field.number));
    before.forEach((field, index) => {
      if (field.number !== 7) expect(after[index]?.whole).toEqual(field.whole);
    });
    expect(after.filter(field => field.number === 2).map(textOf)).toEqual(['test']);
  });
});

describe('an ONNX file that is not whole is refused, naming it:', () => {
  const refusal = { name: 'Refusal', code: 'model-unreadable' };

  test('cut off anywhere', async () => {
    const path = await save();
    const { length } = await readFile(path);
    for (const size of [length - 40, length - 100, Math.round(length / 2), 20, 1, 0]) {
      await truncate(path, size);
      await expect(openModel(path), `${size} bytes`).rejects.toMatchObject({
        ...refusal,
        message: `Expected a whole ONNX model in ${path} (${size} bytes) but received one that is truncated`,
      });
    }
  });

  test('no ONNX at all', async () => {
    const path = join(await temporaryFolder(), 'text.onnx');
    await writeFile(path, 'Not Found: this is an error page.');
    await expect(openModel(path)).rejects.toMatchObject(refusal);
  });

  test('not there', async () => {
    await expect(openModel('/no/such.onnx')).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining('no such file'),
    });
  });

  test('nodes that the runtime cannot run', async () => {
    const path = await save();
    const bytes = await readFile(path);
    bytes.write('Rele', bytes.indexOf('Relu'));
    await writeFile(path, bytes);
    const model = await openModel(path);
    await expect(model.shapesFor([8, 6, 3], ['relu'])).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining('ONNX Runtime'),
    });
  });

  test('an input that is no image', async () => {
    const model = await openModel(await save({ inputDims: [null, 7, 8, 6] }));
    await expect(model.shapesFor([8, 6, 7], ['relu'])).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining("received 'image' of shape [?, 7, 8, 6]"),
    });
  });

  test('graphs nested thousands deep, and 200,000 empty nodes', async () => {
    let nested: Uint8Array = node('Relu', ['image'], 'relu');
    // Around it a graph, in an attribute of a node.
    for (let depth = 0; depth < 3000; depth++) nested = encodeField(5, encodeField(6, encodeField(1, nested)));
    const empty = Array.from({ length: 200_000 }, () => new Uint8Array());
    for (const nodes of [[nested], empty]) {
      const path = await saveGraph({ nodes, inputs: [valueInfo('image', [null, 3, 8, 6])], outputs: [] });
      await expect(openModel(path)).rejects.toMatchObject(refusal);
    }
  });
});

async function save(options: SmallOnnxOptions = {}): Promise<string> {
  const path = join(await temporaryFolder(), 'small.onnx');
  await writeFile(path, smallOnnx(options));
  return path;
}

async function saveGraph(parts: OnnxParts): Promise<string> {
  const path = join(await temporaryFolder(), 'parts.onnx');
  await writeFile(path, onnxModel(parts));
  return path;
}

function graphOf(model: Uint8Array): ReturnType<typeof readGraph> {
  const graph = [...readFields(model)].find(field => field.number === 7);
  if (graph === undefined) throw new Error('Expected a graph');
  return readGraph(graph.bytes);
}
