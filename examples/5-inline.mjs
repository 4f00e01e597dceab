// Way 5: inline, one line. Images are paths, encoded bytes, raw pixels or tensors; the recipe lies beside the model.
import { fileURLToPath } from 'node:url';
import { features } from 'layertap';

const model = fileURLToPath(new URL('../demo/model/model.json', import.meta.url));
const gray = { data: new Uint8Array(100 * 80 * 3).fill(128), width: 100, height: 80, channels: 3 };

const { shape, data } = await features(model, 'features')([gray, gray]);
console.log(`features [${shape}], ${data.length} values`);

const extract = features(model, ['relu*', 'outputs'], { pool: 'mean' });
const byLayer = await extract(gray);
for (const [name, result] of Object.entries(byLayer)) console.log(`${name} [${result.shape}]`);
await extract.close();
