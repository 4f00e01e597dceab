// What TensorFlow.js' WebAssembly backend has no kernel for: taken from the backend in plain JavaScript, which has them all.
// Slow, but a model that needs one runs where TensorFlow can't be had. For wasm.ts.
import type * as tf from '@tensorflow/tfjs';
import { tfjs } from '../tfjs.ts';

/** Complex numbers, which the backend cannot hold, and what draws on a page. */
const LEFT_OUT: ReadonlySet<string> = new Set(['Complex', 'ComplexAbs', 'Draw', 'FFT', 'IFFT', 'Imag', 'Real']);

/** Registers them; once more changes nothing. */
export function addMissingKernels(): void {
  const { getKernelsForBackend, registerKernel } = tfjs();
  const present = new Set(getKernelsForBackend('wasm').map(({ kernelName }) => kernelName));
  for (const { kernelName, kernelFunc } of getKernelsForBackend('cpu')) {
    if (present.has(kernelName) || LEFT_OUT.has(kernelName)) continue;
    registerKernel({ kernelName, backendName: 'wasm', kernelFunc: borrowed(kernelFunc) });
  }
}

/** The kernel of the plain backend, on copies of the tensors. */
function borrowed(kernel: tf.KernelFunc): tf.KernelFunc {
  return ({ inputs, backend, attrs }) => {
    const [here, plain] = [backend as tf.KernelBackend, tfjs().findBackend('cpu')];
    const copied: tf.TensorInfo[] = [];
    const toPlain = (tensor: tf.TensorInfo): tf.TensorInfo => {
      const copy = copyOf(tensor, here, plain);
      copied.push(copy);
      return copy;
    };
    const given = Array.isArray(inputs)
      ? inputs.map(toPlain)
      : Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tensor && toPlain(tensor)]));
    const results = kernel({ inputs: given as tf.NamedTensorInfoMap, backend: plain, ...(attrs && { attrs }) });
    const list = Array.isArray(results) ? results : [results];
    const back = list.map(result => copyOf(result, plain, here));
    for (const dataId of new Set([...copied, ...list].map(tensor => tensor.dataId))) plain.disposeData(dataId, true);
    return back.length === 1 ? (back[0] as tf.TensorInfo) : back;
  };
}

function copyOf({ dataId, shape, dtype }: tf.TensorInfo, from: tf.KernelBackend, to: tf.KernelBackend): tf.TensorInfo {
  return { dataId: to.write(from.readSync(dataId), shape, dtype), shape, dtype };
}
