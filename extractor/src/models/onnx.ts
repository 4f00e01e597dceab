// Reader of ONNX files: every tensor that a node gives is a layer. No native code until shapes are asked for.
import { open } from 'node:fs/promises';
import type { Layer, LayerTable } from '../layer-table.ts';
import type { ModelFile, ModelReader } from '../model.ts';
import { digestFiles } from './digest.ts';
import { readOnnxFile } from './onnx-file.ts';
import { describeGraph } from './onnx-table.ts';

export const onnxReader: ModelReader = { recognises, open: openOnnx };

async function openOnnx(path: string): Promise<ModelFile> {
  const file = await readOnnxFile(path);
  const table = describeGraph(file.graph);
  const sha256 = await digestFiles(file.externalFiles, file.bytes);
  // The file's bytes must not stay in memory with the functions below.
  const { path: absolute } = file;
  return {
    path: absolute,
    format: 'onnx',
    sha256,
    table,
    shapesFor: (inputShape, layers) => shapesFor(absolute, inputShape, layers),
    probeShapes: () => probeShapes(absolute, table),
  };
}

/** By runs in a child process: this one loads no native code. */
async function probeShapes(path: string, table: LayerTable): Promise<LayerTable> {
  const { probeOnnxLayers } = await import('../engines/onnx-probe.ts');
  const probed = new Map((await probeOnnxLayers(path)).map(layer => [layer.name, layer] as const));
  const layers = table.layers.map((layer): Layer => {
    const { shape = layer.outputShape, unsupported } = probed.get(layer.name) ?? {};
    return { ...layer, outputShape: shape, ...(unsupported !== undefined && { unsupported }) };
  });
  return { ...table, layers };
}

/** By one run of zeros: files rarely hold the shapes inside their graph, and often wrong ones. */
async function shapesFor(
  path: string,
  inputShape: readonly number[],
  layers: readonly string[],
): Promise<readonly (readonly number[])[]> {
  const { openOnnxEngine } = await import('../engines/onnx.ts');
  const engine = await openOnnxEngine();
  const extractor = await engine.load({ model: path, layers, inputShape });
  const shapes = extractor.outputs.map(output => output.shape);
  await extractor.close();
  return shapes;
}

/** By name, or by the first field of the file: the version of the format. */
async function recognises(path: string): Promise<boolean> {
  if (path.endsWith('.onnx')) return true;
  const handle = await open(path).catch(() => undefined);
  if (handle === undefined) return false;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer[0] === 0x08 && (buffer[1] ?? 0) < 64 && buffer[2] === 0x12;
  } catch {
    return false; // A folder.
  } finally {
    await handle.close();
  }
}
