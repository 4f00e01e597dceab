// The image input of an ONNX model: its name, its layout, and whether a recipe's shape fits. For the engine.
import { Refusal } from '../../../shared/src/errors.ts';
import type { OnnxFile } from './onnx-file.ts';
import { inputLayout } from './onnx-layout.ts';

export interface OnnxImageInput {
  readonly name: string;
  /** Channels stand before height and width. */
  readonly isNchw: boolean;
  /** Rows that every run must have; undefined where any number will do. */
  readonly fixedRows: number | undefined;
}

/**
 * @param inputShape what the recipe gives: [height, width, channels]
 * @throws Refusal `model-unreadable` for a model without one float32 image input, `recipe-mismatch` for another shape
 */
export function requireImageInput(file: OnnxFile, inputShape: readonly number[]): OnnxImageInput {
  const [input, ...others] = file.graph.inputs;
  const refuse = (received: string): Refusal =>
    new Refusal('model-unreadable', `Expected one float32 image input in ${file.path} but received ${received}`, {
      hint: 'An image input has four axes, with 1 or 3 channels: [batch, channels, height, width] or [batch, height, width, channels].',
    });
  if (input === undefined || others.length > 0) throw refuse(`${file.graph.inputs.length} inputs`);
  const layout = inputLayout(input.shape);
  const [rows = null, ...axes] = input.shape ?? [];
  if (layout === undefined) throw refuse(`'${input.name}' of shape ${list(input.shape ?? [])}`);
  if (input.elementType !== FLOAT32) throw refuse(`'${input.name}' of element type ${input.elementType}`);
  const isNchw = layout === 'nchw';
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
  return { name: input.name, isNchw, fixedRows: rows ?? undefined };
}

/** TensorProto.DataType.FLOAT */
const FLOAT32 = 1;

function list(shape: readonly (number | null)[]): string {
  return `[${shape.map(axis => axis ?? '?').join(', ')}]`;
}
