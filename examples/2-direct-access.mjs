// Way 2: go through the layers yourself, match them as you like and run the model up to them.
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { fileURLToPath } from 'node:url';
import { findLayers, loadLayersModel, runLayers } from 'layertap';

await tf.setBackend('wasm');
const model = await loadLayersModel(fileURLToPath(new URL('../demo/model', import.meta.url)));
const images = tf.randomUniform([4, 64, 64, 3], -1, 1, 'float32', 42);

for (const layer of findLayers(model, { className: 'Conv2D' })) {
  console.log(`${layer.name}: ${layer.countParams()} parameters`);
}
const values = runLayers(model, [/^relu/, layer => layer.name === 'features', -1], images);
for (const [name, { shape }] of values) console.log(`${name} [${shape}]`);
