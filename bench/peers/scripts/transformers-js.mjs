// transformers.js: AutoModel and AutoProcessor on a local ONNX export, one batch after the other. Plain JavaScript, since it
// runs where the package is: in the cache.
import { readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

const options = ['model', 'packages', 'folder', 'out', 'batch', 'pool', 'ratio', 'layer'];
const { values: given } = parseArgs({ options: Object.fromEntries(options.map(name => [name, { type: 'string' }])) });
const require = createRequire(join(given.packages, 'package.json'));
const { AutoModel, AutoProcessor, RawImage, env } = require('@huggingface/transformers');
env.allowRemoteModels = false;
env.localModelPath = dirname(given.model);
const name = given.model.split('/').at(-1);
const processor = await AutoProcessor.from_pretrained(name);
const model = await AutoModel.from_pretrained(name, { dtype: 'fp32' });
const paths = readdirSync(given.folder, { recursive: true, encoding: 'utf8' })
  .filter(path => path.endsWith('.jpg'))
  .sort()
  .map(path => join(given.folder, path));
const parts = [];
for (let start = 0; start < paths.length; start += Number(given.batch)) {
  const images = await Promise.all(paths.slice(start, start + Number(given.batch)).map(path => RawImage.read(path)));
  const output = Object.values(await model(await processor(images)))[0];
  const features = given.pool === 'mean' ? output.mean(1).mean(1) : output;
  parts.push(Buffer.from(features.data.buffer, features.data.byteOffset, features.data.byteLength));
}
writeFileSync(given.out, Buffer.concat(parts));
console.log(JSON.stringify({ rows: paths.length, versions: { 'transformers.js': env.version } }));
