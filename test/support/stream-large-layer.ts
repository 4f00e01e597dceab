// A process of its own that streams a layer of 1 MB a row through a sink and prints how much its memory grew.
import { randomBytes } from 'node:crypto';
import { encodeRows } from '../../services/worker/src/serialize.ts';
import { parquetSink } from '../../services/worker/src/sinks/parquet.ts';
import { rowSchema } from '../../shared/src/row-schema.ts';
import { runOf, sampleOf } from './small-run.ts';

const BATCH_ROWS = 32;
const rows = Number(process.argv[2]);
const columns = [{ name: 'large', dtype: 'float32', shape: [512, 512] }] as const;
const schema = rowSchema(runOf({ columns }));
const before = process.memoryUsage.rss();
/** What zstd cannot shrink: the file is as large as the layer. */
const noise = new Float32Array(new Uint8Array(randomBytes(BATCH_ROWS * 512 * 512 * 4)).buffer);
let bytes = 0;
let peak = before;

const sink = parquetSink.open(schema, async chunk => {
  bytes += chunk.length;
});
for (let first = 0; first < rows; first += BATCH_ROWS) {
  const count = Math.min(BATCH_ROWS, rows - first);
  const data = noise.slice(0, count * 512 * 512);
  data[0] = first;
  const batch = Array.from({ length: count }, (_, row) => ({
    sample: sampleOf(first + row),
    sha256: null,
    size: null,
    failure: undefined,
  }));
  await sink.write(encodeRows(schema, columns, batch, [{ dtype: 'float32', shape: [count, 512, 512], data }]));
  peak = Math.max(peak, process.memoryUsage.rss());
}
await sink.close();
peak = Math.max(peak, process.memoryUsage.rss());
process.stdout.write(JSON.stringify({ bytes, growthMb: (peak - before) / 1_000_000 }));
