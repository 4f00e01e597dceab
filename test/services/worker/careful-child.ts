// The process of careful-extractor.test.ts: its memory is bounded from outside. Model file in, what happened out.
import { openOnnxEngine } from '../../../extractor/src/engines/onnx.ts';
import { openCarefulExtractor } from '../../../services/worker/src/careful-extractor.ts';

const ROWS = 32;

const [model = ''] = process.argv.slice(2);
const engine = await openOnnxEngine({ threads: 1 });
const loaded = await engine.load({ model, layers: ['largest'], inputShape: [1, 1, 3] });
const halved: number[] = [];
const extractor = openCarefulExtractor(loaded, { mostRows: ROWS, onHalved: rows => halved.push(rows) });
const data = Float32Array.from({ length: ROWS * 3 }, (_, index) => index);
const [first] = await extractor.run({ dtype: 'float32', shape: [ROWS, 1, 1, 3], data });
const halvings = halved.length;
await extractor.run({ dtype: 'float32', shape: [ROWS, 1, 1, 3], data });
process.stdout.write(
  JSON.stringify({
    halved,
    isRemembered: halved.length === halvings,
    shape: first?.shape,
    data: [...(first?.data ?? [])],
  }),
);
