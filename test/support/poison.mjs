// Faults for the processes of a test: `NODE_OPTIONS=--import …/poison.mjs` makes a decoder and an engine that really die of the
// images that poison-images.ts writes. Nothing in the sources knows of it.
import { readFileSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import sharp from 'sharp';

const MARK = Buffer.from('layertap-poison:');

/** What a native decoder may do to the process of the thread that called it. */
const FAULTS = {
  segfault: () => process.kill(process.pid, 'SIGSEGV'),
  abort: () => process.kill(process.pid, 'SIGABRT'),
  // As the kernel does where the machine is out of memory.
  killed: () => process.kill(process.pid, 'SIGKILL'),
  // The bound is that of the heap: --max-old-space-size.
  memory: () => {
    for (const hoard = []; ; ) hoard.push(new Array(100_000).fill(hoard.length));
  },
  hang: () => {
    for (;;);
  },
  // Not the image's fault: a file holds how often somebody will kill the process that happens to be at work.
  unlucky: path => {
    const left = Number(readFileSync(path, 'utf8'));
    if (left === 0) return;
    writeFileSync(path, String(left - 1));
    process.kill(process.pid, 'SIGKILL');
  },
};

const { metadata } = sharp.prototype;
sharp.prototype.metadata = function (...given) {
  const { buffer } = this.options.input;
  const at = buffer?.lastIndexOf(MARK) ?? -1;
  if (at >= 0) {
    const [name, detail] = buffer.toString('utf8', at + MARK.length).split(' ');
    FAULTS[name](detail);
  }
  return metadata.apply(this, given);
};

if (isMainThread && process.argv[1]?.includes('engine-process')) {
  const { loadRuntime } = await import('../../dist/extractor/src/engines/onnx-runtime.js');
  const { InferenceSession } = await loadRuntime();
  const { run } = InferenceSession.prototype;
  // Of an image of one colour that is not black: neither the slot of a failed image nor photos are.
  const BLACK = [0, -1];
  InferenceSession.prototype.run = function (feeds, ...given) {
    for (const { data, dims } of Object.values(feeds)) {
      const size = data.length / dims[0];
      for (let row = 0; row < dims[0]; row++) {
        const values = data.subarray(row * size, (row + 1) * size);
        if (!BLACK.includes(values[0]) && values.every(value => value === values[0]))
          process.kill(process.pid, 'SIGSEGV');
      }
    }
    return run.call(this, feeds, ...given);
  };
}
