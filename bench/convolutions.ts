// npm run bench:convolutions: models on ONNX Runtime with plain 3 × 3 convolutions and with minimal filtering, on one thread.
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { distanceBetween } from '../extractor/src/agreement.ts';
import { compiledModel } from '../extractor/src/compile/compiled-model.ts';
import { loadRuntime, type Runtime } from '../extractor/src/engines/onnx-runtime.ts';
import { bestRows, createWholeSession } from '../extractor/src/engines/onnx-session.ts';
import { openModel } from '../extractor/src/model.ts';
import { Refusal } from '../shared/src/errors.ts';
import { createLifecycle } from '../shared/src/lifecycle.ts';
import { sizeOfShape } from '../shared/src/tensor.ts';
import { describeMachine, machineLines } from './machine.ts';
import { count } from './options.ts';
import { ratioSpread, spreadOf, spreadText } from './statistics.ts';

const HELP = `Models with plain 3 × 3 convolutions and with minimal filtering, on one thread

Usage: npm run bench:convolutions -- MODEL... [options]

  MODEL        Keras or TensorFlow.js models; their first output is computed
  --size N     side of the images where a model leaves it open (224)
  --rounds N   each kind so many times for a second, in turn (7)
  --help       show this help
`;
const SECOND = 1000;

/** Runs the same few images. */
interface Network {
  readonly rows: number;
  run(): Promise<Float32Array>;
  close(): Promise<void>;
}

const lifecycle = createLifecycle();
await lifecycle.run(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      size: { type: 'string' },
      rounds: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const [size, rounds] = [count('size', values.size, 224, 1), count('rounds', values.rounds, 7, 1)];
  if (positionals.length === 0) {
    throw new Refusal('bad-option', 'Expected one or more models', {
      hint: 'See `npm run bench:convolutions -- --help`.',
    });
  }
  const machine = await describeMachine();
  const runtime = await loadRuntime();
  process.stdout.write(`${machineLines(machine, new Date().toISOString()).join('\n')}\n\n`);
  process.stdout.write(
    '| ms an image, min / median / max | plain | minimal filtering | plain ÷ filtering | largest difference |\n|---|---:|---:|---:|---:|\n',
  );
  for (const model of positionals) process.stdout.write(await compare(runtime, model, size, rounds));
});

/** One line of the table. The two take turns, since a machine changes its speed. */
async function compare(runtime: Runtime, reference: string, size: number, rounds: number): Promise<string> {
  const { path, sha256, table } = await openModel(reference);
  const layers = table.outputs.slice(0, 1);
  const inputShape = table.inputShape.map(axis => axis ?? size);
  const open = async (winograd: boolean): Promise<Network> =>
    openNetwork(
      runtime,
      (await compiledModel({ model: path, sha256, layers, inputShape, winograd })).content,
      inputShape,
    );
  const [plain, filtered] = [await open(false), await open(true)];
  const distance = distanceBetween(await filtered.run(), await plain.run(), plain.rows);
  const [before, after]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    before.push(await timeOf(plain));
    after.push(await timeOf(filtered));
  }
  await Promise.all([plain.close(), filtered.close()]);
  const name = `${basename(path)}, ${inputShape.join(' x ')}, ${layers.join()}`;
  const times = [before, after].map(list => spreadText(spreadOf(list), 2));
  const ratio = spreadText(ratioSpread(before, after), 3);
  return `| ${[name, ...times, ratio, distance?.relative.toExponential(1)].join(' | ')} |\n`;
}

/** With as many images at a time as the engine takes. */
async function openNetwork(runtime: Runtime, content: Uint8Array, inputShape: readonly number[]): Promise<Network> {
  const session = await createWholeSession(runtime, content, 'the compiled model', { threads: 1 });
  const [[input = ''], [output = '']] = [session.inputNames, session.outputNames];
  const shape = [bestRows(inputShape), ...inputShape];
  // Waves of many lengths: noise alone would let a network's last layers die out.
  const values = Float32Array.from({ length: sizeOfShape(shape) }, (_, i) => Math.sin(i / 50) + Math.sin(i * i));
  const feeds = { [input]: new runtime.Tensor('float32', values, shape) };
  return {
    rows: shape[0] ?? 1,
    run: async () => (await session.run(feeds))[output]?.data as Float32Array,
    close: () => session.release(),
  };
}

/** Milliseconds per image, over a second. */
async function timeOf({ rows, run }: Network): Promise<number> {
  const begun = performance.now();
  for (let images = rows; ; images += rows) {
    await run();
    const spent = performance.now() - begun;
    if (spent >= SECOND) return spent / images;
  }
}
