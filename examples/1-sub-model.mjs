// Way 1: a sub-model that ends at the layers you ask for. Run it with: node examples/1-sub-model.mjs
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { fileURLToPath } from 'node:url';
import { extractSubModel, loadLayersModel } from 'layertap';

await tf.setBackend('wasm');
const model = await loadLayersModel(fileURLToPath(new URL('../demo/model', import.meta.url)));
const images = tf.randomUniform([4, 64, 64, 3], -1, 1, 'float32', 42);

const subModel = extractSubModel(model, ['relu3', 'features']);
const [relu3, features] = subModel.predict(images);

console.log(`relu3 [${relu3.shape}], features [${features.shape}]`);
