// Models that were just compiled: what ONNX Runtime makes of them, and what they consist of.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadRuntime } from '../../extractor/src/engines/onnx-runtime.ts';
import { createWholeSession } from '../../extractor/src/engines/onnx-session.ts';
import { readOnnxFile } from '../../extractor/src/models/onnx-file.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** What the model's output `out` is for one batch of its input `image`. */
export async function runOnnx(
  bytes: Uint8Array,
  data: Float32Array,
  dims: readonly number[],
): Promise<readonly number[]> {
  const runtime = await loadRuntime();
  const session = await createWholeSession(runtime, bytes, 'a model', {});
  const { out } = await session.run({ image: new runtime.Tensor('float32', data, dims) });
  await session.release();
  return Array.from(out?.data as Float32Array);
}

/** How many operators of each type. @param model its bytes, or the path of its file */
export async function operatorsOf(model: Uint8Array | string): Promise<Readonly<Record<string, number>>> {
  const { graph } = await readOnnxFile(typeof model === 'string' ? model : await onnxFile(model));
  const counts: Record<string, number> = {};
  for (const { opType } of graph.nodes) counts[opType] = (counts[opType] ?? 0) + 1;
  return counts;
}

/** The path of a file with the model. */
export async function onnxFile(bytes: Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(), 'model.onnx');
  await writeFile(path, bytes);
  return path;
}
