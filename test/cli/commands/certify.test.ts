// layertap certify against references of other implementations: a convolution in NumPy on Pillow's pixels, and real Keras
// by the very script of docs/certify.md.
import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { referenceScript } from '../../../conformance/jpeg-to-feature.ts';
import { describeFailure, runCommand } from '../../../setup/src/command.ts';
import { setupConfig } from '../../../setup/src/config.ts';
import { DEMO_MODEL, useDemoSet } from '../../support/demo-set.ts';
import { type RunResult, run } from '../../support/layertap.ts';
import { skipAllWithout, whyNot } from '../../support/needs.ts';
import { runPython } from '../../support/python.ts';

const GOLDEN_MODEL = fileURLToPath(new URL('../../conformance/golden/resnet-keras.keras', import.meta.url));
const IMAGES = 8;

const demo = useDemoSet();

/** The demo model's first layer by NumPy: float64 sums over Pillow's own pixels. */
const FIRST_LAYER = `
import numpy as np, os
import pyarrow as pa, pyarrow.parquet as pq
from PIL import Image
with open(given['weights'], 'rb') as file:
    kernel = np.frombuffer(file.read(3 * 3 * 3 * 16 * 4), '<f4').reshape(3, 3, 3, 16).astype('float64')
def features(path):
    image = Image.open(path).convert('RGB').resize((64, 64), Image.Resampling.BILINEAR)
    x = np.pad(np.asarray(image, 'float64') * given['scale'] - 1, ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(0, 1))
    return np.einsum('yxchw,hwcf->yxf', windows, kernel).mean((0, 1))
rows = np.stack([features(path) for path in given['paths']])
folder = given['folder']
np.save(os.path.join(folder, 'features.npy'), rows)
np.save(os.path.join(folder, 'larger.npy'), rows * 1.01)
np.save(os.path.join(folder, 'short.npy'), rows[:-1])
open(os.path.join(folder, 'features.txt'), 'w').write('\\n'.join(given['paths']))
order = list(reversed(range(len(rows))))
table = pa.table({'path': [given['paths'][i] for i in order], 'vector': [rows[i].astype('float32') for i in order]})
pq.write_table(table, os.path.join(folder, 'features.parquet'))
print(json.dumps(len(rows)))
`;

let paths: readonly string[];

skipAllWithout('python');

beforeAll(async () => {
  if (whyNot('python') !== undefined) return;
  paths = Array.from({ length: IMAGES }, (_, index) => demo.image(index, index));
  const weights = join(dirname(DEMO_MODEL), 'weights.bin');
  await runPython(FIRST_LAYER, { weights, paths, folder: demo.root, scale: 2 / 255 });
});

function certify(reference: string, ...flags: readonly string[]): Promise<RunResult> {
  return run([
    ...['certify', '--model', DEMO_MODEL, '--layer', 'conv1', '--pool', 'mean'],
    ...['--reference', join(demo.root, reference), ...flags],
  ]);
}

describe('a model that gives the features of the reference', () => {
  it('passes with status 0, and the verdict says so on standard output and on disk', async () => {
    const out = join(demo.root, 'verdict.json');
    const result = await certify('features.npy', '--out', out, '--json');
    expect(result.stderr).not.toContain('rror');
    expect(result.code).toBe(0);
    const verdict = JSON.parse(result.stdout);
    expect(JSON.parse(await readFile(out, 'utf8'))).toEqual(verdict);
    expect(verdict).toMatchObject({ passed: true, reasons: [], layer: 'conv1', compared: IMAGES, missing: [] });
    expect(verdict.cosine.worst).toBeGreaterThan(0.999999);
    expect(verdict.maxAbsDifference.worst / verdict.scale).toBeLessThan(1e-5);
    expect(verdict.worst).toHaveLength(IMAGES);
  });

  it('is found by path in a Parquet file, in whatever order its rows are', async () => {
    const result = await certify('features.parquet');
    expect(result.code).toBe(0);
    expect(result.stdout).toContain(`PASSED: layer conv1`);
    expect(result.stdout).toContain(`${IMAGES} images`);
  });
});

describe('a model that does not', () => {
  it('fails with status 1 and the worst images by name, for another scale of the pixels', async () => {
    const out = join(demo.root, 'failed.json');
    const result = await certify('features.npy', '--scale', '1/255', '--out', out);
    expect(result.code).toBe(1);
    expect(result.stdout).toContain('FAILED');
    expect(result.stdout).toMatch(/worst .*\.jpg/);
    expect(JSON.parse(await readFile(out, 'utf8'))).toMatchObject({ passed: false, recipe: { scale: 1 / 255 } });
  });

  it('fails where all cosines are 1 and the values are not the same', async () => {
    const result = await certify('larger.npy', '--images', join(demo.root, 'features.txt'));
    expect(result.code).toBe(1);
    expect(result.stdout).toContain(`${IMAGES} of ${IMAGES} images differ by more than 0.001`);
    const tolerant = await certify('larger.npy', '--images', join(demo.root, 'features.txt'), '--tolerance', '0.02');
    expect(tolerant.code).toBe(0);
  });

  it('fails, naming the image, where one cannot be read', async () => {
    const list = join(demo.root, 'one-missing.txt');
    await writeFile(list, [...paths.slice(1), join(demo.root, 'nowhere.jpg')].join('\n'));
    const result = await certify('features.parquet', '--images', list);
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(/not compared +\S*nowhere\.jpg/);
  });
});

describe('refused before anything is computed', () => {
  it('a .npy file with another number of rows than images', async () => {
    const result = await certify('short.npy', '--images', join(demo.root, 'features.txt'));
    expect(result.code).toBe(2);
    expect(result.stderr).toContain(`(${IMAGES - 1}) but received ${IMAGES} images`);
  });

  it('a reference of another layer', async () => {
    const result = await run([
      ...['certify', '--model', DEMO_MODEL, '--layer', 'conv2', '--pool', 'mean'],
      ...['--reference', join(demo.root, 'features.npy')],
    ]);
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('Expected 32 numbers a row');
  });

  it('a file that is no reference', async () => {
    const result = await certify('features.txt');
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('.npy or .parquet');
  });
});

describe('the Python script of docs/certify.md', () => {
  it('is valid Python', async () => {
    const script = await referenceScript();
    expect(
      await runPython<string>('compile(given, "make_reference.py", "exec")\nprint(json.dumps("ok"))', script),
    ).toBe('ok');
  });

  const keras = findKeras();
  const title = `makes a reference with real Keras that ${'`layertap certify`'} agrees with${keras === undefined ? ' (skipped: the Keras packages are not in the cache; npm run conformance installs them)' : ''}`;
  it.skipIf(keras === undefined)(title, { timeout: 300_000 }, async () => {
    const python = inject('python');
    if (!python.ready || keras === undefined) throw new Error('Expected Python');
    const script = join(demo.root, 'make_reference.py');
    await writeFile(script, await referenceScript());
    await writeFile(join(demo.root, 'keras.txt'), `${paths.join('\n')}\n`);
    const made = await runCommand(
      python.python,
      [script, GOLDEN_MODEL, 'avg_pool', join(demo.root, 'keras.txt'), join(demo.root, 'keras.npy')],
      { env: { PYTHONPATH: keras, PYTHONNOUSERSITE: '1', TF_CPP_MIN_LOG_LEVEL: '3' } },
    );
    if (!made.ok) throw new Error(describeFailure('make_reference.py', made));
    const result = await run([
      ...['certify', '--model', GOLDEN_MODEL, '--layer', 'avg_pool', '--reference', join(demo.root, 'keras.npy')],
      ...['--scale', '1/127.5', '--mean', '1'],
    ]);
    expect(result.stdout).toContain('PASSED');
    expect(result.code).toBe(0);
  });
});

/** The folder of the Keras packages, where an earlier conformance run or benchmark installed them: 1.5 GB is too much for a test. */
function findKeras(): string | undefined {
  const folder = join(setupConfig().installedRoot, 'python');
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .filter(name => name.startsWith('keras-py'))
    .map(name => join(folder, name))
    .find(path => existsSync(join(path, 'packages.json')) && existsSync(join(path, 'tf_keras')));
}
