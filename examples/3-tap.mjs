// Way 3: a tap. One run gives the model's predictions and a layer's features.
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { fileURLToPath } from 'node:url';
import { loadLayersModel, tapLayer } from 'layertap';

await tf.setBackend('wasm');
const model = await loadLayersModel(fileURLToPath(new URL('../demo/model', import.meta.url)));
const images = tf.randomUniform([4, 64, 64, 3], -1, 1, 'float32', 42);

const [predictions, features] = tapLayer(model, 'features').predict(images);

console.log(`predictions [${predictions.shape}], features [${features.shape}]`);
