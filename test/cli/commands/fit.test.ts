import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Table, tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fit } from '../../../cli/src/commands/fit.ts';
import { makeDemoImages } from '../../../demo/src/images.ts';
import { parseOptions } from '../../../shared/src/options.ts';
import { because, whyNot } from '../../support/needs.ts';

const MODEL = fileURLToPath(new URL('../../../demo/model/model.json', import.meta.url));
/** Small ones with seven classes. */
const KERAS_FILES = fileURLToPath(new URL('../../conformance/golden/', import.meta.url));
const PER_CLASS = 4;

// Training needs TensorFlow: the wasm backend has no gradient of a convolution.
const lack = whyNot('tensorflow');
describe.skipIf(lack)(`layertap fit${because(lack)}`, () => {
  let root: string;
  let images: string;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'layertap-fit-'));
    images = join(root, 'images');
    await makeDemoImages(images, { perClass: PER_CLASS, seed: 31 });
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it('writes the features of the probe after every epoch, with epoch and step', async () => {
    const out = join(root, 'epochs');
    expect(
      await runFit([images, '--epochs', '2', '--batch', '16', '--probe', '12', '--format', 'arrow', '--out', out]),
    ).toBe(0);
    const tables = await readParts(out);
    expect(tables.map(table => table.numRows)).toEqual([12, 12]);
    // 45 files in batches of 16 make 3 steps an epoch.
    expect(tables.map(table => [table.get(0)?.epoch, table.get(0)?.step])).toEqual([
      [1n, 3n],
      [2n, 6n],
    ]);
    const [first, second] = tables;
    const names = first?.schema.fields.map(field => field.name) ?? [];
    expect(names.slice(8)).toEqual(['label', 'epoch', 'step', 'features']);
    const ids = (table = first): unknown[] => Array.from(table ?? [], row => row?.sample_id);
    expect(ids(second)).toEqual(ids(first));
    const label = String(first?.get(0)?.label);
    expect(String(first?.get(0)?.sample_id).startsWith(`${label}/`)).toBe(true);
    expect(featuresOf(second)).not.toEqual(featuresOf(first));
    const whole = Array.from(first ?? []).filter(row => row?.status === 'ok').length;
    expect(featuresOf(first)).toHaveLength(whole * 96);
  });

  it('writes them after every N batches where that is asked for, and records each in fit.json', async () => {
    const out = join(root, 'batches');
    const flags = ['--epochs', '2', '--batch', '16', '--every-batches', '2', '--probe', '5', '--format', 'both'];
    await runFit([images, ...flags, '--out', out]);
    const record = JSON.parse(await readFile(join(out, 'fit.json'), 'utf8'));
    const moments = record.snapshots.map(({ epoch, step }: { epoch: number; step: number }) => [epoch, step]);
    expect(moments).toEqual([
      [1, 2],
      [2, 4],
      [2, 6],
    ]);
    expect(record.epochs).toHaveLength(2);
    const listed = record.snapshots.flatMap(({ files }: { files: { path: string }[] }) =>
      files.map(({ path }) => path),
    );
    const present = (await readdir(out, { recursive: true })).filter(path => /\.(arrow|parquet)$/.test(path));
    expect(present.sort()).toEqual(listed.sort());
    expect(present).toHaveLength(6);
  });

  it('keeps a broken probe image as a failed row, and says what taught nothing', async () => {
    const out = join(root, 'broken');
    const printed = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    await runFit([images, '--epochs', '2', '--probe', '45', '--format', 'arrow', '--out', out]);
    const summary = JSON.parse(String(printed.mock.lastCall?.[0]));
    printed.mockRestore();
    expect(summary).toMatchObject({ out, snapshots: 2, rows: 90, unreadable: 5 });
    const [table] = await readParts(out);
    const failed = Array.from(table ?? []).filter(row => row?.status === 'failed');
    expect(table?.numRows).toBe(45);
    expect(failed).toHaveLength(5);
    expect(
      failed.every(
        row => [...((row?.features ?? []) as Iterable<number>)].includes(Number.NaN) && row?.error_code !== null,
      ),
    ).toBe(true);
  });

  it('ends after the batch in hand when stopped, and leaves only whole snapshots', async () => {
    const out = join(root, 'stopped');
    const flags = ['--epochs', '50', '--batch', '8', '--every-batches', '1', '--probe', '5', '--format', 'arrow'];
    await expect(runFit([images, ...flags, '--out', out], AbortSignal.abort())).rejects.toMatchObject({
      code: 'interrupted',
    });
    const record = JSON.parse(await readFile(join(out, 'fit.json'), 'utf8'));
    expect(record).toMatchObject({ epochs: [], snapshots: [{ epoch: 1, step: 1 }] });
    expect((await readParts(out)).map(table => table.numRows)).toEqual([5]);
  });

  it.each(['mobilenet-v2-tfkeras.keras', 'resnet-keras.keras', 'mobilenet-keras.h5'])(
    'trains %s as Keras wrote it',
    async file => {
      const seven = join(root, `seven-${file}`);
      await makeDemoImages(seven, { perClass: 8, broken: false });
      const classes = (await readdir(seven, { withFileTypes: true })).filter(entry => entry.isDirectory());
      for (const { name } of classes.slice(7)) await rm(join(seven, name), { recursive: true });
      const out = join(root, `out-${file}`);
      const model = join(KERAS_FILES, file);
      const flags = ['--epochs', '6', '--batch', '14', '--scale', '1/127.5', '--mean', '1', '--format', 'arrow'];
      expect(await runFit([seven, '--model', model, '--layer', '-2', ...flags, '--out', out])).toBe(0);
      const { epochs } = JSON.parse(await readFile(join(out, 'fit.json'), 'utf8'));
      expect(epochs.at(-1).loss).toBeLessThan(epochs[0].loss);
      const tables = await readParts(out);
      expect(tables).toHaveLength(6);
    },
  );

  it('refuses another number of classes than the model has', async () => {
    const out = join(root, 'classes');
    await makeDemoImages(join(root, 'few'), { perClass: 1 });
    await rm(join(root, 'few', 'star'), { recursive: true });
    await expect(runFit([join(root, 'few'), '--out', out])).rejects.toThrow(/Expected 10 classes .* received 9/);
  });

  it('refuses a source without labels, an unknown layer and an output directory that is in use', async () => {
    const out = join(root, 'refused');
    await expect(runFit([join(images, 'star'), '--out', out])).rejects.toThrow(/Expected labels/);
    await expect(runFit([images, '--layer', 'feature', '--out', out])).rejects.toMatchObject({ code: 'unknown-layer' });
    await makeDemoImages(out, { perClass: 1 });
    await writeFile(join(out, 'fit.json'), '{}');
    await expect(runFit([images, '--out', out])).rejects.toMatchObject({ code: 'run-mismatch' });
  });
});

async function runFit(argv: readonly string[], stopping = new AbortController().signal): Promise<number> {
  const layer = argv.includes('--layer') ? [] : ['--layer', 'features'];
  const model = argv.includes('--model') ? [] : ['--model', MODEL];
  const input = { argv: [...argv, ...model, ...layer, '--json'], env: {}, command: 'layertap fit' };
  const { values, positionals } = parseOptions(fit.options, input);
  const lifecycle = { stopping } as Parameters<typeof fit.run>[0]['lifecycle'];
  return fit.run({ options: values, positionals, lifecycle });
}

/** The Arrow parts in the order of their snapshots. */
async function readParts(out: string): Promise<readonly Table[]> {
  const files = (await readdir(join(out, 'parts'), { recursive: true })).filter(path => path.endsWith('.arrow'));
  return Promise.all(files.sort().map(async path => tableFromIPC(await readFile(join(out, 'parts', path)))));
}

function featuresOf(table: Table | undefined): readonly number[] {
  const ok = Array.from(table ?? []).filter(row => row?.status === 'ok');
  return ok.flatMap(row => [...((row?.features ?? []) as Iterable<number>)]);
}
