// The image input of an ONNX model: its name, its layout, and whether a recipe's shape fits. For reader and engine.
import { Refusal } from '../../../shared/src/errors.ts';
import { inputsBehind } from './onnx-dependencies.ts';
import type { OnnxFile } from './onnx-file.ts';
import type { OnnxGraph } from './onnx-graph.ts';
import { type ImageLayout, imageLayout } from './onnx-layout.ts';
import { elementName, isImageElement } from './onnx-tensor.ts';
import type { OnnxTensor } from './onnx-value-info.ts';

export interface OnnxImageInput {
  readonly name: string;
  /** Channels stand before height and width. */
  readonly isNchw: boolean;
  /** Rows that every run must have; undefined where any number will do. */
  readonly fixedRows: number | undefined;
  /** TensorProto.DataType of what it takes. */
  readonly elementType: number;
}

/** The inputs that an image can be fed to, in the order of the file. */
export function imageInputs(graph: OnnxGraph): readonly (ImageLayout & { readonly name: string })[] {
  return graph.inputs.flatMap(input => {
    const image = imageLayout(graph, input);
    return image !== undefined && isImageElement(input.elementType) ? [{ name: input.name, ...image }] : [];
  });
}

/**
 * The one input that the layers hang on.
 * @param layers names of tensors that nodes give, or of inputs
 * @param inputShape what the recipe gives: [height, width, channels]
 * @throws Refusal `model-unreadable` for layers without one image input, `recipe-mismatch` for another shape
 */
export function requireImageInput(
  file: OnnxFile,
  layers: readonly string[],
  inputShape: readonly number[],
): OnnxImageInput {
  const input = requireOneInput(file, layers);
  const image = imageLayout(file.graph, input);
  if (image === undefined) {
    const hint = isOpen(input) ? OPEN_HINT : HINT;
    throw noImage(file, `'${input.name}' of ${describeInput(input)}`, hint);
  }
  if (!isImageElement(input.elementType)) {
    throw noImage(
      file,
      `'${input.name}' of ${elementName(input.elementType)}`,
      'Inputs of float32, float64, float16, int8, uint8, int16, uint16 and int32 can be fed.',
    );
  }
  const isNchw = image.layout === 'nchw';
  const [rows = null, ...axes] = image.shape;
  const [first = null, ...rest] = axes;
  const declared = isNchw ? [...rest, first] : axes;
  const fits =
    declared.length === inputShape.length && declared.every((axis, i) => axis === null || axis === inputShape[i]);
  if (!fits) {
    throw new Refusal(
      'recipe-mismatch',
      `Expected an input of shape ${list(declared)} but the recipe gives ${list(inputShape)}`,
      {
        hint: 'Shapes are [height, width, channels]; change the size or the channels of the recipe.',
      },
    );
  }
  return { name: input.name, isNchw, fixedRows: rows ?? undefined, elementType: input.elementType };
}

const HINT =
  'An image input has four axes, with 1 or 3 channels: [batch, channels, height, width] or [batch, height, width, channels].';
const OPEN_HINT =
  'Neither its shape nor the first layer tells where the channels are: export the model with their number fixed to 1 or 3.';

function requireOneInput(file: OnnxFile, layers: readonly string[]): OnnxTensor {
  const behind = inputsBehind(file.graph);
  const needed = new Set(layers.flatMap(layer => [...(behind.get(layer) ?? [])]));
  const inputs = file.graph.inputs.filter(input => needed.has(input.name));
  const [input, ...others] = inputs;
  if (input !== undefined && others.length === 0) return input;
  if (input === undefined) throw noImage(file, `${file.graph.inputs.length} inputs, and layers that need none`, HINT);
  const list = inputs.map(each => `'${each.name}' of ${describeInput(each)}`).join(', ');
  throw noImage(
    file,
    `layers that need ${inputs.length} inputs: ${list}`,
    'Take layers that only the image reaches, or export the model with the other inputs as constants.',
  );
}

function noImage(file: OnnxFile, received: string, hint: string): Refusal {
  return new Refusal('model-unreadable', `Expected one image input in ${file.path} but received ${received}`, { hint });
}

function isOpen({ shape = [null, null, null, null], other }: OnnxTensor): boolean {
  return other === undefined && shape.length === 4 && shape[1] === null && shape[3] === null;
}

/** Its kind and shape, for messages. */
export function describeInput(input: OnnxTensor): string {
  if (input.other !== undefined) return `a ${input.other}`;
  return input.shape === undefined ? 'unknown shape' : `shape ${list(input.shape)}`;
}

function list(shape: readonly (number | null)[]): string {
  return `[${shape.map(axis => axis ?? '?').join(', ')}]`;
}
