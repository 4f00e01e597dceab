// Activation layers whose settings TensorFlow.js' own ones lack.
import { elu, relu, softmax } from './activations.ts';
import { numberIn, numbersOf } from './config-values.ts';
import { fromStart, type LayerDefinition, type LayerDefinitions, onlyInput, requireAxis } from './layer-definition.ts';

const sameShape: LayerDefinition['outputShapes'] = (_, inputs) => [onlyInput(inputs)];

/** x where positive, else alpha x, with an alpha per position that is not shared. */
const prelu: LayerDefinition = {
  weightNames: () => ['alpha'],
  weightShapes: ({ config }, inputs) => {
    const input = onlyInput(inputs);
    const shared = numbersOf(config.shared_axes) ?? [];
    return [input.slice(1).map((_, axis) => (shared.includes(axis + 1) ? 1 : requireAxis(input, axis + 1)))];
  },
  outputShapes: sameShape,
  call: ({ tf, inputs, weights }) => tf.prelu(onlyInput(inputs), onlyInput(weights)),
};

export const ACTIVATION_LAYERS: LayerDefinitions = {
  ReLU: { outputShapes: sameShape, call: ({ tf, settings, inputs }) => relu(tf, onlyInput(inputs), settings.config) },
  ELU: {
    outputShapes: sameShape,
    call: ({ tf, settings, inputs }) => elu(tf, onlyInput(inputs), numberIn(settings.config, 'alpha', 1)),
  },
  PReLU: prelu,
  Softmax: {
    outputShapes: sameShape,
    call: ({ tf, settings, inputs }) => {
      const x = onlyInput(inputs);
      const axes = (numbersOf(settings.config.axis) ?? [-1]).map(axis => fromStart(axis, x.rank));
      const [only] = axes;
      return softmax(tf, x, axes.length === 1 && only !== undefined ? only : axes);
    },
  },
  ThresholdedReLU: {
    outputShapes: sameShape,
    call: ({ tf, settings, inputs }) => {
      const x = onlyInput(inputs);
      return tf.mul(x, tf.cast(tf.greater(x, numberIn(settings.config, 'theta', 1)), 'float32'));
    },
  },
};
