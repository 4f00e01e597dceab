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
    const toPlain = (tensor: tf.TensorInfo): tf.TensorInfo => copyOf(tensor, here, plain);
    const given = Array.isArray(inputs)
      ? inputs.map(toPlain)
      : Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tensor && toPlain(tensor)]));
    const result = kernel({ inputs: given as tf.NamedTensorInfoMap, backend: plain, ...(attrs && { attrs }) });
    const results = Array.isArray(result) ? result : [result];
    const back = results.map(tensor => copyOf(tensor, plain, here));
    // A result may be an input as it is.
    for (const dataId of new Set([...Object.values(given), ...results].map(tensor => tensor?.dataId))) {
      if (dataId !== undefined) plain.disposeData(dataId, true);
    }
    return Array.isArray(result) ? back : (back[0] as tf.TensorInfo);
  };
}

function copyOf({ dataId, shape, dtype }: tf.TensorInfo, from: tf.KernelBackend, to: tf.KernelBackend): tf.TensorInfo {
  return { dataId: to.write(from.readSync(dataId), shape, dtype), shape, dtype };
}
