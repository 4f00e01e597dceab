// MobileNetV2 and ResNet50 as tfjs layers models, of the shapes and layer names of keras.applications, with random weights: what
// a user of tfjs-node has converted before. For models.ts.
//
//   tsx make-tfjs-models.ts FOLDER
import { join } from 'node:path';
import { applyTfjsNodeShim } from '../../../setup/src/tfjs-node-shim.ts';

applyTfjsNodeShim();
const tf = await import('@tensorflow/tfjs-node');
type Tensor = import('@tensorflow/tfjs').SymbolicTensor;

const [folder = ''] = process.argv.slice(2);
await mobileNetV2().save(`file://${join(folder, 'MobileNetV2-tfjs')}`);
await resNet50().save(`file://${join(folder, 'ResNet50-tfjs')}`);

function mobileNetV2(): import('@tensorflow/tfjs').LayersModel {
  const input = tf.input({ shape: [224, 224, 3] });
  let x = relu6(normalized(conv(input, 32, 3, 2, 'same')));
  // Expansion, channels, repeats and stride of each stage.
  const stages = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ] as const;
  let block = 0;
  for (const [expansion, channels, repeats, first] of stages) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const strides = repeat === 0 ? first : 1;
      const before = x.shape.at(-1) ?? 0;
      let inner = x;
      if (expansion > 1) inner = relu6(normalized(conv(inner, before * expansion, 1, 1, 'same')));
      const depthwise = { kernelSize: 3, strides, padding: 'same', useBias: false } as const;
      inner = relu6(normalized(tf.layers.depthwiseConv2d(depthwise).apply(inner) as Tensor));
      inner = normalized(conv(inner, channels, 1, 1, 'same'));
      x = repeat === 0 ? inner : (tf.layers.add({ name: `block_${block}_add` }).apply([x, inner]) as Tensor);
      block++;
    }
  }
  x = normalized(conv(x, 1280, 1, 1, 'same'));
  return tf.model({ inputs: input, outputs: tf.layers.reLU({ maxValue: 6, name: 'out_relu' }).apply(x) as Tensor });
}

function resNet50(): import('@tensorflow/tfjs').LayersModel {
  const input = tf.input({ shape: [224, 224, 3] });
  let x = relu(normalized(conv(input, 64, 7, 2, 'same')));
  x = tf.layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }).apply(x) as Tensor;
  const stages = [
    [64, 3, 1],
    [128, 4, 2],
    [256, 6, 2],
    [512, 3, 2],
  ] as const;
  for (const [stage, [channels, repeats, first]] of stages.entries()) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const strides = repeat === 0 ? first : 1;
      const shortcut = repeat === 0 ? normalized(conv(x, 4 * channels, 1, strides, 'same')) : x;
      let inner = relu(normalized(conv(x, channels, 1, strides, 'same')));
      inner = relu(normalized(conv(inner, channels, 3, 1, 'same')));
      inner = normalized(conv(inner, 4 * channels, 1, 1, 'same'));
      const sum = tf.layers.add().apply([shortcut, inner]) as Tensor;
      x = relu(sum, `conv${stage + 2}_block${repeat + 1}_out`);
    }
  }
  return tf.model({ inputs: input, outputs: x });
}

function conv(x: Tensor, filters: number, kernelSize: number, strides: number, padding: 'same'): Tensor {
  return tf.layers.conv2d({ filters, kernelSize, strides, padding, useBias: false }).apply(x) as Tensor;
}

function normalized(x: Tensor): Tensor {
  return tf.layers.batchNormalization().apply(x) as Tensor;
}

function relu(x: Tensor, name?: string): Tensor {
  return tf.layers.activation({ activation: 'relu', ...(name && { name }) }).apply(x) as Tensor;
}

function relu6(x: Tensor): Tensor {
  return tf.layers.reLU({ maxValue: 6 }).apply(x) as Tensor;
}
