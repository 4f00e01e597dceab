// tfjs-node by hand, as its documentation shows it: loadLayersModel, decodeImage, predict. At batch 1 or more.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { applyTfjsNodeShim } from '../../../setup/src/tfjs-node-shim.ts';

applyTfjsNodeShim();
const tf = await import('@tensorflow/tfjs-node');
const { values: given } = parseArgs({
  options: {
    model: { type: 'string', default: '' },
    layer: { type: 'string', default: '' },
    folder: { type: 'string', default: '' },
    out: { type: 'string', default: '' },
    batch: { type: 'string', default: '32' },
    pool: { type: 'string', default: 'mean' },
    ratio: { type: 'string', default: '1' },
  },
});
const model = await tf.loadLayersModel(`file://${given.model}`);
const extractor = tf.model({ inputs: model.inputs, outputs: model.getLayer(given.layer).output });
const paths = readdirSync(given.folder, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.jpg'))
  .sort()
  .map(name => join(given.folder, name));
const parts: Float32Array[] = [];
for (let start = 0; start < paths.length; start += Number(given.batch)) {
  const features = tf.tidy(() => {
    const images = paths.slice(start, start + Number(given.batch)).map(path => {
      const image = tf.node.decodeImage(readFileSync(path), 3) as import('@tensorflow/tfjs').Tensor3D;
      return tf.image.resizeBilinear(image, [224, 224]).div(127.5).sub(1);
    });
    const output = extractor.predict(tf.stack(images)) as import('@tensorflow/tfjs').Tensor4D;
    return given.pool === 'mean' ? output.mean([1, 2]) : output;
  });
  parts.push((await features.data()) as Float32Array);
  features.dispose();
}
writeFileSync(given.out, Buffer.concat(parts.map(part => Buffer.from(part.buffer, part.byteOffset, part.byteLength))));
console.log(JSON.stringify({ rows: paths.length, versions: { 'tfjs-node': tf.version['tfjs-node'] } }));
