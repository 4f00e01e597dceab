// Graph models and SavedModels read without a runtime: their layers, their shapes by a child's run, and what is refused.
import { copyFile, cp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openModel } from '../../../extractor/src/model.ts';
import type { GraphNode } from '../../../extractor/src/models/graph-nodes.ts';
import { findInputPreparation } from '../../../extractor/src/models/graph-preparation.ts';
import { probeShapes } from '../../../extractor/src/probe-shapes.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { goldenPath } from '../engines/golden-layers.ts';
import { MODELS, missing, whyNoShared } from '../shared-material.ts';

const refusal = { name: 'Refusal', code: 'model-unreadable' };

describe('the layers of a graph model', () => {
  test('are its nodes that depend on the image; constants are their parameters', async () => {
    const { format, table } = await openModel(goldenPath('small-graph-model'));
    expect(format).toBe('tfjs-graph');
    expect(table.inputShape).toEqual([12, 10, 3]);
    expect(table.outputs).toEqual(['Identity', 'Identity_1']);
    expect(table.layers.slice(0, 6).map(layer => [layer.name, layer.className, layer.parameters])).toEqual([
      ['image', 'Placeholder', 0],
      ['scale', 'Mul', 1],
      ['shift', 'Sub', 1],
      ['conv', 'Conv2D', 108],
      ['halves', 'Split', 0],
      ['halves#1', 'Split', 0],
    ]);
    expect(table.layers.find(layer => layer.name === 'sub')?.inbound).toEqual(['halves', 'halves#1']);
    expect(table.preprocessing).toEqual([
      { layer: 'scale', does: 'x * 2' },
      { layer: 'shift', does: 'x - 1' },
    ]);
  });

  test('are told what they do to the image, the constant on either side', async () => {
    const node = (name: string, op: string, inputs: readonly string[]): GraphNode => ({
      ...{ name, label: name, op, inputs: inputs.map(from => ({ node: from, output: 0 })), outputShapes: [] },
    });
    const nodes = [
      node('image', 'Placeholder', []),
      node('scale', 'Mul', ['factor', 'image']),
      node('shift', 'AddV2', ['offset', 'scale']),
      node('turn', 'Sub', ['offset', 'shift']),
    ];
    const image = { node: 'image', shape: [null, 8, 8, 3], elementType: 'DT_FLOAT' };
    const graph = { nodes, image, otherInputs: [], outputs: [{ node: 'turn', output: 0 }] };
    const values = new Map([
      ['factor', [0.5]],
      ['offset', [1, 2, 3]],
    ]);
    const found = await findInputPreparation(graph, async name => values.get(name));
    expect(found.map(({ does }) => does)).toEqual(['x * 0.5', 'x + [1, 2, 3]', '[1, 2, 3] - x']);
  });

  test('have shapes by one run in a child', async () => {
    const { shapesFor } = await openModel(goldenPath('small-graph-model'));
    expect(await shapesFor([12, 10, 3], ['halves#1', 'pooled', 'best'])).toEqual([[6, 5, 2], [2], [1]]);
    await expect(shapesFor([12, 10, 3], ['Mean'])).rejects.toMatchObject({ code: 'unknown-layer' });
    await expect(shapesFor([12, 9, 3], ['pooled'])).rejects.toMatchObject({ code: 'recipe-mismatch' });
    await expect(shapesFor([12, 10, 3], ['poled'])).rejects.toMatchObject({
      hint: expect.stringContaining("'pooled'"),
    });
  });

  test('of a damaged or incomplete file set are refused, naming the file', async () => {
    const folder = await temporaryFolder();
    await cp(goldenPath('small-graph-model'), folder, { recursive: true });
    const shard = join(folder, 'group1-shard2of3.bin');
    await truncate(shard, 5);
    await expect(openModel(folder)).rejects.toMatchObject({ ...refusal, message: expect.stringContaining(shard) });
    await rm(shard);
    await expect(openModel(folder)).rejects.toMatchObject({ ...refusal, message: expect.stringContaining(shard) });
    const json = await readFile(join(folder, 'model.json'), 'utf8');
    await copyFile(join(goldenPath('small-graph-model'), 'group1-shard2of3.bin'), shard);
    await writeFile(join(folder, 'model.json'), json.replace('"name": "relu"', '"name": "other"'));
    await expect(openModel(folder)).rejects.toMatchObject({ ...refusal, message: expect.stringContaining("'relu'") });
    await writeFile(join(folder, 'model.json'), json.slice(0, -9));
    await expect(openModel(folder)).rejects.toMatchObject(refusal);
  });

  test.skipIf(missing(MODELS))(
    `whose weights are missing are refused with the name of the file${whyNoShared(MODELS)}`,
    async () => {
      await expect(openModel(`${MODELS}/tfjs-graph-missing-weights`)).rejects.toMatchObject({
        ...refusal,
        message: expect.stringContaining('faceres.bin is missing'),
      });
    },
  );
});

describe('the layers of a SavedModel', () => {
  test('are those inside its functions, under the names that they have there', async () => {
    const { format, table, shapesFor } = await openModel(goldenPath('saved-models/keras2'));
    expect(format).toBe('saved-model');
    expect(table.inputShape).toEqual([12, 10, 3]);
    expect(table.outputs).toEqual(['tiny/scores/Softmax']);
    expect(table.modelName).toBe('tiny');
    const layer = table.layers.find(({ name }) => name === 'tiny/block/dw/depthwise');
    expect(layer).toMatchObject({ className: 'DepthwiseConv2dNative', outputShape: [12, 10, 6], parameters: 54 });
    expect(table.preprocessing?.map(step => step.does)).toEqual(['x * 0.007843138', 'x + -1']);
    expect(await shapesFor([12, 10, 3], ['tiny/block/dw/depthwise'])).toEqual([[12, 10, 6]]);
  });

  test('say why they cannot be had', async () => {
    const { table } = await openModel(goldenPath('saved-models/old-style'));
    const reasons = new Map(table.layers.map(layer => [layer.name, layer.unsupported]));
    expect(reasons.get('loop/mul')).toContain('once per turn of a loop');
    expect(reasons.get('scaled')).toContain("the input 'scale'");
    expect(reasons.get('pooled')).toBeUndefined();
  });

  test('of a damaged or incomplete file set are refused, naming the file', async () => {
    const folder = await temporaryFolder();
    await cp(goldenPath('saved-models/keras2'), folder, { recursive: true });
    const index = join(folder, 'variables/variables.index');
    await truncate(index, 300);
    await expect(openModel(folder)).rejects.toMatchObject({ ...refusal, message: expect.stringContaining(index) });
    await rm(join(folder, 'variables/variables.data-00000-of-00001'));
    await rm(index);
    await expect(openModel(folder)).rejects.toMatchObject({ ...refusal, message: expect.stringContaining(index) });
    await truncate(join(folder, 'saved_model.pb'), 9000);
    await expect(openModel(folder)).rejects.toMatchObject({ ...refusal, hint: expect.stringContaining('truncated') });
  });

  test('of a graph whose attributes are damaged, which shows when they are needed, are refused', async () => {
    const folder = await temporaryFolder();
    await cp(goldenPath('saved-models/keras2'), folder, { recursive: true });
    const file = join(folder, 'saved_model.pb');
    // The attribute T of every node: a type (field 6) becomes a shape (field 7) longer than the attribute.
    const bytes = (await readFile(file))
      .toString('latin1')
      .replaceAll('\x0a\x01T\x12\x020\x01', '\x0a\x01T\x12\x02:\x7f');
    await writeFile(file, bytes, 'latin1');
    await expect(openModel(folder)).rejects.toMatchObject({ ...refusal, message: expect.stringContaining(file) });
  });
});

test('a child that takes too long is killed and the model refused', async () => {
  const model = goldenPath('small-graph-model');
  const probing = probeShapes({ engine: 'wasm', model, layers: ['pooled'], inputShape: [12, 10, 3], timeoutMs: 1 });
  await expect(probing).rejects.toMatchObject({
    ...refusal,
    message: `Expected a model that the engine wasm can run in ${model} but it took longer than 0.001 s`,
  });
});
