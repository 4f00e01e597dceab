// Resizing inside a model. ONNX's modes are named by how an output pixel's place is found in the input:
// https://onnx.ai/onnx/operators/onnx__Resize.html
import { booleanAttribute } from './attributes.ts';
import type { LowerCall } from './lowering.ts';
import { inputOf, outputOf } from './operands.ts';
import { spatial } from './windows.ts';

const resize =
  (mode: 'linear' | 'nearest'): LowerCall =>
  (call, to) => {
    const output = outputOf(call);
    const alignCorners = booleanAttribute(call.attributes, 'alignCorners');
    const halfPixels = booleanAttribute(call.attributes, 'halfPixelCenters');
    const place = alignCorners ? 'align_corners' : halfPixels ? 'half_pixel' : 'asymmetric';
    // With half pixels TensorFlow takes floor((y + 0.5) × scale), which is the place rounded, halves up.
    const nearest = alignCorners || halfPixels ? 'round_prefer_ceil' : 'floor';
    const { writer } = to;
    const image = to.take(inputOf(call, 'images'), 'first');
    // All four lengths: ONNX Runtime's optimiser breaks a Resize that names its axes (seen with 1.30).
    const kept = writer.node('Slice', [writer.node('Shape', [image]), writer.list([0]), writer.list([2])]);
    const sizes = writer.node('Concat', [kept, writer.list(spatial(to.shapeOf(output)))], { axis: 0 });
    const result = writer.node('Resize', [image, '', '', sizes], {
      mode,
      coordinate_transformation_mode: place,
      nearest_mode: mode === 'nearest' ? nearest : undefined,
    });
    to.give(output, result, 'first');
  };

export const RESAMPLING: Readonly<Record<string, LowerCall>> = {
  ResizeBilinear: resize('linear'),
  ResizeNearestNeighbor: resize('nearest'),
};
