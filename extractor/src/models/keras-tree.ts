// The layers of a Keras model as its config nests them, which is how weight files are laid out. Parsers of configs make it,
// readers of weights take it.

export interface KerasTree {
  /** As the config calls it, and files of Keras 2. */
  readonly name: string;
  /** Its name in the LayerGraph, path through nested models: `backbone/conv5`. Empty for the model itself. */
  readonly path: string;
  /** Keras' class name; an operation that is no layer has dots in it, such as `keras.ops.Add`. */
  readonly className: string;
  readonly trainable: boolean;
  /** Layers of a nested model (or of a model inside a wrapper), in the order of the config. */
  readonly children?: readonly KerasTree[];
}

/** A layer that is no model, with the models around it, outermost first. */
export interface KerasLeaf {
  readonly node: KerasTree;
  readonly ancestors: readonly KerasTree[];
}

/** All layers below, in order. */
export function leavesOf(node: KerasTree, ancestors: readonly KerasTree[] = []): readonly KerasLeaf[] {
  if (node.children === undefined) return [{ node, ancestors }];
  return node.children.flatMap(child => leavesOf(child, [...ancestors, node]));
}

/** Layers that never have weights, on both Keras 2 and 3; operations are no layers at all. */
const WEIGHTLESS =
  /^(InputLayer|Activation|(Leaky|Thresholded)?ReLU|ELU|Softmax|.*Dropout.*|Gaussian(Noise|Dropout)|ZeroPadding.*|Cropping.*|UpSampling.*|.*Pooling.*|Flatten|Reshape|Permute|RepeatVector|Masking|Add|Subtract|Multiply|Average|Maximum|Minimum|Concatenate|Dot|Lambda|Identity|UnitNormalization|ActivityRegularization|Rescaling|Resizing|CenterCrop|Random.*|(TF|Slicing)OpLambda|TensorFlowOpLayer|StochasticDepth)$/;

/** Whether a layer of this class can have weights, as far as its class says. */
export function mayHaveWeights(className: string): boolean {
  return !className.includes('.') && !WEIGHTLESS.test(className);
}
