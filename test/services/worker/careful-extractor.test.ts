// A batch that does not fit into the memory, in a real process of bounded memory with a real model.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Extractor } from '../../../extractor/src/engine.ts';
import { openCarefulExtractor } from '../../../services/worker/src/careful-extractor.ts';
import { findProgram } from '../../../setup/src/command.ts';
import { childEnvironment } from '../../../setup/src/config.ts';
import { int64Tensor, intsAttribute, node, onnxModel, valueInfo } from '../../extractor/onnx-model.ts';
import { because, whyNot } from '../../support/needs.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const CHILD = fileURLToPath(new URL('./careful-child.ts', import.meta.url));
const BYTES = 1_700_000_000;
const prlimit = findProgram('prlimit');
const lack = whyNot('prlimit');

describe('openCarefulExtractor', () => {
  it.skipIf(lack)(`halves a batch until it fits, and remembers the size${because(lack)}`, async () => {
    const model = join(await temporaryFolder(), 'model.onnx');
    // 50 MB a row: 32 of them do not fit.
    const nodes = [
      node('Transpose', ['image'], 'turned', [intsAttribute('perm', [0, 3, 1, 2])]),
      node('Expand', ['turned', 'size'], 'wide'),
      node('ReduceMax', ['wide'], 'largest', [intsAttribute('axes', [2, 3])]),
    ];
    const weights = [int64Tensor('size', [1, 1, 16_384, 256])];
    const [inputs, outputs] = [[valueInfo('image', [null, 1, 1, 3])], [valueInfo('largest', [null, 3, 1, 1])]];
    await writeFile(model, onnxModel({ nodes, weights, inputs, outputs }));
    const { stdout } = await promisify(execFile)(
      prlimit ?? '',
      [`--data=${BYTES}`, process.execPath, '--import', 'tsx', CHILD, model],
      { env: childEnvironment({}) },
    );
    const { halved, isRemembered, shape, data } = JSON.parse(stdout);
    expect(halved).toEqual([16, 8, 4, 2, 1].slice(0, halved.length));
    expect(halved.length).toBeGreaterThan(0);
    expect(isRemembered).toBe(true);
    expect(shape.slice(0, 1)).toEqual([32]);
    expect(data).toEqual(Array.from({ length: 96 }, (_, index) => index));
  });

  it('leaves every other fault, and one image that does not fit, to its caller', async () => {
    const failing = (message: string): Extractor => {
      const fail = async (): Promise<never> => {
        throw new Error(message);
      };
      return { inputShape: [1], outputs: [], warmUp: fail, run: fail, close: async () => undefined };
    };
    const halved: number[] = [];
    const open = (message: string): Extractor =>
      openCarefulExtractor(failing(message), { mostRows: 4, onHalved: rows => halved.push(rows) });
    await expect(open('a bug').warmUp(4)).rejects.toThrow('a bug');
    expect(halved).toEqual([]);
    await expect(open('std::bad_alloc').warmUp(4)).rejects.toThrow('bad_alloc');
    expect(halved).toEqual([2, 1]);
  });
});
