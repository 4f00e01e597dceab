// Who is compared: how each peer is started on a cell. A new peer is one entry here and one script. For main.ts.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PythonPackageSet, PythonPackages } from '../../setup/src/python-packages.ts';
import { LAYERTAP } from '../contestants/pipeline.ts';
import type { Cell } from './cells.ts';
import type { PeerModels } from './models.ts';

export interface PeerTask {
  readonly cell: Cell;
  /** Class folders of JPEGs. */
  readonly folder: string;
  /** A folder of its own for what it writes. */
  readonly out: string;
  readonly models: PeerModels;
  /** Of the peer's own set; undefined where it needs none. */
  readonly python: PythonPackages | undefined;
  /** Folder with the npm packages that the peer needs. */
  readonly npm: string | undefined;
}

export interface PeerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Peer {
  readonly key: string;
  readonly title: string;
  readonly python?: PythonPackageSet;
  readonly npm?: readonly string[];
  /** @default every cell */
  readonly takes?: (cell: Cell) => boolean;
  start(task: PeerTask): PeerCommand;
  /** What is done once per model on a machine, before the rounds; its seconds are told apart. */
  readonly once?: (task: PeerTask) => PeerCommand;
}

const BATCH = 32;
const script = (name: string): string => fileURLToPath(new URL(`./scripts/${name}`, import.meta.url));

/** Layertap itself, by which the others are divided. */
export const OURS = ['layertap-fast', 'layertap-exact'] as const;

export const PEERS: readonly Peer[] = [
  layertap('fast'),
  layertap('exact'),
  python('keras-tfdata', 'Keras, tf.data and predict', 'keras', 'keras_tfdata.py', ({ models, cell }) =>
    models.keras(cell),
  ),
  {
    ...python(
      'keras-ratio',
      'the same, decode_jpeg(ratio=8)',
      'keras',
      'keras_tfdata.py',
      ({ models, cell }) => models.keras(cell),
      ['--ratio', '8'],
    ),
    takes: ({ images }) => images === 'large',
  },
  python(
    'keras-dataset',
    'Keras, image_dataset_from_directory and predict',
    'keras',
    'keras_dataset.py',
    ({ models, cell }) => models.keras(cell),
  ),
  python(
    'onnxruntime',
    'ONNX Runtime and Pillow, plain Python',
    'onnxruntime',
    'onnxruntime_pillow.py',
    ({ models, cell }) => models.onnx(cell),
  ),
  python('torchvision', 'torchvision, create_feature_extractor', 'thingsvision', 'torchvision_fx.py', torchName),
  python('thingsvision', 'thingsvision', 'thingsvision', 'thingsvision_run.py', torchName),
  node(
    'transformers-js',
    'transformers.js on an ONNX export',
    ['@huggingface/transformers@4.3.1'],
    ({ models, cell, npm = '' }) => [
      script('transformers-js.mjs'),
      ...['--model', models.transformers(cell), '--packages', npm],
    ],
  ),
  tfjsByHand(32),
  tfjsByHand(1),
];

function layertap(quality: 'fast' | 'exact'): Peer {
  const start = ({ cell, folder, out, models }: PeerTask, more: readonly string[]): PeerCommand => ({
    command: process.execPath,
    args: [
      ...[LAYERTAP, 'extract', folder, '--model', models.keras(cell), '--layer', cell.layer, '--pool', cell.pool],
      ...['--recipe', 'keras:mobilenetv2', '--quality', quality, '--batch', String(BATCH), '--out', join(out, 'run')],
      // Uncompressed, as all others write it.
      ...(cell.pool === 'none' ? ['--format', 'arrow'] : []),
      ...more,
    ],
  });
  return {
    key: `layertap-${quality}`,
    title: `Layertap, ${quality}`,
    start: task => start(task, []),
    // Compiles the model, compares it with TensorFlow and keeps the decision.
    once: task => start(task, ['--limit', '1']),
  };
}

function python(
  key: string,
  title: string,
  set: PythonPackageSet,
  file: string,
  modelOf: (task: PeerTask) => string,
  more: readonly string[] = [],
): Peer {
  return {
    key,
    title,
    python: set,
    start: task => ({
      command: task.python?.python ?? 'python3',
      args: [
        ...[script(file), '--model', modelOf(task), '--layer', layerFor(set, task.cell), '--pool', task.cell.pool],
        ...['--folder', task.folder, '--batch', String(BATCH), '--out', join(task.out, 'features'), ...more],
      ],
      env: { PYTHONPATH: task.python?.pythonPath ?? '', PYTHONNOUSERSITE: '1', TF_CPP_MIN_LOG_LEVEL: '3' },
    }),
  };
}

function layerFor(set: PythonPackageSet, cell: Cell): string {
  return set === 'thingsvision' ? cell.torchLayer : cell.layer;
}

function torchName({ cell }: PeerTask): string {
  return cell.architecture === 'MobileNetV2' ? 'mobilenet_v2' : 'resnet50';
}

function node(key: string, title: string, npm: readonly string[], argsOf: (task: PeerTask) => readonly string[]): Peer {
  return {
    key,
    title,
    npm,
    start: task => ({
      command: process.execPath,
      args: [
        ...[...argsOf(task), '--layer', task.cell.layer, '--pool', task.cell.pool, '--folder', task.folder],
        ...['--batch', String(BATCH), '--out', join(task.out, 'features.f32')],
      ],
    }),
  };
}

function tfjsByHand(batch: number): Peer {
  return {
    key: `tfjs-${batch}`,
    title: `tfjs-node by hand, batch ${batch}`,
    start: ({ cell, folder, out, models }) => ({
      command: process.execPath,
      args: [
        ...['--import', 'tsx', script('tfjs-by-hand.ts'), '--model', models.tfjs(cell), '--layer', cell.layer],
        ...['--pool', cell.pool, '--folder', folder, '--batch', String(batch), '--out', join(out, 'features.f32')],
      ],
      env: { TF_CPP_MIN_LOG_LEVEL: '3' },
    }),
  };
}
