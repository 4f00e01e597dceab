// The models of the comparison in every format that a peer takes, made once and kept in the cache. For main.ts.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publishFile, publishFolder } from '../../setup/src/cache.ts';
import { describeFailure, runCommand } from '../../setup/src/command.ts';
import type { PythonPackages } from '../../setup/src/python-packages.ts';
import { LAYERTAP } from '../contestants/pipeline.ts';
import { ARCHITECTURES, CELLS, type Cell } from './cells.ts';

export interface PeerModels {
  keras(cell: Cell): string;
  /** model.json of a tfjs layers model. */
  tfjs(cell: Cell): string;
  /** The layer of the cell as its only output, [rows, 224, 224, 3] in. */
  onnx(cell: Cell): string;
  /** A folder as transformers.js wants it. */
  transformers(cell: Cell): string;
}

const MARKER = 'models.json';
const scriptPath = (name: string): string => fileURLToPath(new URL(`./scripts/${name}`, import.meta.url));

export async function preparePeerModels(
  cache: string,
  { keras, interop }: { readonly keras: PythonPackages; readonly interop: PythonPackages },
): Promise<PeerModels> {
  const folder = join(cache, 'models');
  await publishFolder(
    folder,
    async draft => {
      await run(keras.python, [scriptPath('make_models.py'), draft], keras.pythonPath);
      await run(process.execPath, ['--import', 'tsx', scriptPath('make-tfjs-models.ts'), draft]);
      for (const cell of CELLS) {
        const target = onnxOf(draft, cell);
        const model = join(draft, `${cell.architecture}.keras`);
        await run(process.execPath, [LAYERTAP, 'compile', model, '--layer', cell.layer, '--out', target]);
        await makeTransformersFolder(draft, cell, interop);
      }
      await publishFile(join(draft, MARKER), JSON.stringify({ architectures: ARCHITECTURES }));
    },
    { marker: MARKER },
  );
  return {
    keras: ({ architecture }) => join(folder, `${architecture}.keras`),
    tfjs: ({ architecture }) => join(folder, `${architecture}-tfjs`, 'model.json'),
    onnx: cell => onnxOf(folder, cell),
    transformers: cell => transformersOf(folder, cell),
  };
}

function onnxOf(folder: string, { architecture, layer }: Cell): string {
  return join(folder, `${architecture}-${layer}.onnx`);
}

function transformersOf(folder: string, { architecture, layer }: Cell): string {
  return join(folder, `${architecture}-${layer}`);
}

/** It takes the architecture from config.json, and any one whose model it feeds with pixels alone will do. */
async function makeTransformersFolder(
  draft: string,
  cell: Cell,
  { python, pythonPath }: PythonPackages,
): Promise<void> {
  const folder = transformersOf(draft, cell);
  await mkdir(join(folder, 'onnx'), { recursive: true });
  await run(
    python,
    [scriptPath('wrap_for_transformers.py'), onnxOf(draft, cell), join(folder, 'onnx', 'model.onnx')],
    pythonPath,
  );
  await writeFile(join(folder, 'config.json'), JSON.stringify({ model_type: 'mobilenet_v2' }));
  const preprocessor = {
    ...{ image_processor_type: 'ViTImageProcessor', do_resize: true, size: { width: 224, height: 224 }, resample: 2 },
    ...{ do_rescale: true, rescale_factor: 1 / 255, do_normalize: true },
    ...{ image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] },
  };
  await writeFile(join(folder, 'preprocessor_config.json'), JSON.stringify(preprocessor));
}

async function run(command: string, args: readonly string[], pythonPath?: string): Promise<void> {
  const env = { TF_CPP_MIN_LOG_LEVEL: '3', ...(pythonPath && { PYTHONPATH: pythonPath, PYTHONNOUSERSITE: '1' }) };
  const result = await runCommand(command, [...args], { env, timeoutMs: 1_800_000 });
  if (!result.ok) throw new Error(describeFailure([command, ...args].join(' '), result));
}
