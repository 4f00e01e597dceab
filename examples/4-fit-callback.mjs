// Way 4: take features while a model trains. Here on plain JavaScript; `layertap fit` does it on TensorFlow, into files.
import * as tf from '@tensorflow/tfjs';
import { featureCallback } from 'layertap';

const model = tf.sequential({
  layers: [
    tf.layers.conv2d({ name: 'conv', filters: 4, kernelSize: 3, activation: 'relu', inputShape: [8, 8, 3] }),
    tf.layers.globalAveragePooling2d({ name: 'features', dataFormat: 'channelsLast' }),
    tf.layers.dense({ name: 'predictions', units: 2, activation: 'softmax' }),
  ],
});
model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
const images = tf.randomUniform([16, 8, 8, 3], 0, 1, 'float32', 42);
const labels = tf.oneHot(tf.range(0, 16, 1, 'int32').mod(2).toInt(), 2);

await model.fit(images, labels, {
  epochs: 2,
  batchSize: 4,
  verbose: 0,
  callbacks: featureCallback({
    model,
    layers: ['features'],
    samples: images,
    everyBatches: 3,
    everyEpochs: 1,
    write: async ({ epoch, step, features }) => {
      for (const { spec, tensor } of features)
        console.log(`epoch ${epoch}, step ${step}: ${spec.name} [${tensor.shape}]`);
    },
  }),
});
