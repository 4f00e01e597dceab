// Operations on tensors that Keras writes as layers: `keras.ops.…` of Keras 3, TFOpLambda and its like of Keras 2.
import type * as tf from '@tensorflow/tfjs';
import type { CallValue, Json, JsonObject } from '../../layer-graph.ts';
import type { Tfjs } from '../../tfjs.ts';
import { bindArguments, fillSlots } from '../call-values.ts';
import { textIn } from '../config-values.ts';
import type { LayerDefinition, LayerDefinitions, LayerSettings } from '../layer-definition.ts';
import { ARRANGEMENT_OPERATIONS } from './arrangement.ts';
import { ELEMENTWISE_OPERATIONS } from './elementwise.ts';
import { IMAGE_OPERATIONS } from './image.ts';
import { type Operation, type Operations, OperationValues, type ShapeOnly, type TensorKind } from './operation.ts';
import { PRODUCT_OPERATIONS } from './product.ts';
import { REDUCTION_OPERATIONS } from './reduction.ts';
import { graphOperation, tensorFlowFunction } from './tensorflow-functions.ts';

const OPERATIONS: Operations = {
  ...ARRANGEMENT_OPERATIONS,
  ...ELEMENTWISE_OPERATIONS,
  ...IMAGE_OPERATIONS,
  ...PRODUCT_OPERATIONS,
  ...REDUCTION_OPERATIONS,
};

/** An operation with its arguments by their names in Keras 3. */
interface BoundOperation {
  readonly operation: Operation;
  readonly values: { readonly [name: string]: CallValue };
}

export const OPERATION_LAYERS: LayerDefinitions = {
  ...Object.fromEntries(
    Object.entries(OPERATIONS).map(([name, operation]) => [
      `keras.ops.${name}`,
      operationLayer(settings => bindKeras3(operation, settings)),
    ]),
  ),
  TFOpLambda: operationLayer(bindLambda),
  SlicingOpLambda: operationLayer(settings => {
    const { slice_spec: key = null, ...rest } = settings.kwargs;
    return bindKeras3(requireOperation('GetItem'), {
      ...settings,
      config: {},
      args: [...settings.args, key],
      kwargs: rest,
    });
  }),
  TensorFlowOpLayer: operationLayer(bindGraphOperation),
};

function operationLayer(bind: (settings: LayerSettings) => BoundOperation | string): LayerDefinition {
  const requireBound = (settings: LayerSettings): BoundOperation => {
    const bound = bind(settings);
    if (typeof bound === 'string') throw new Error(`Expected a known operation but received ${bound}`);
    return bound;
  };
  return {
    outputShapes: (settings, inputs) => {
      const { operation, values } = requireBound(settings);
      return operation.shapes(
        valuesOf(
          values,
          inputs.map(shape => ({ shape })),
          SHAPES,
        ),
      );
    },
    call: ({ tf, settings, inputs }) => {
      const { operation, values } = requireBound(settings);
      return operation.compute(tf, valuesOf(values, inputs, tensorsOf(tf)));
    },
    unsupported: settings => {
      const bound = bind(settings);
      return typeof bound === 'string' ? bound : undefined;
    },
  };
}

function bindKeras3(operation: Operation, settings: LayerSettings): BoundOperation {
  const { name: _name, dtype: _dtype, ...config } = settings.config;
  // Cast has its type in a field of that name.
  const kept = operation.parameters.includes('dtype') ? { ...config, dtype: settings.config.dtype ?? null } : config;
  return { operation, values: { ...kept, ...bindArguments(settings, operation.parameters) } };
}

function bindLambda(settings: LayerSettings): BoundOperation | string {
  const name = textIn(settings.config, 'function', '');
  const known = tensorFlowFunction(name);
  if (known === undefined) return `the TensorFlow function \`tf.${name}\`, which is not among the known ones`;
  return bindTensorFlow(known, bindArguments(settings, known.parameters.map(theirs)));
}

function bindTensorFlow(
  { operation, parameters, fixed }: NonNullable<ReturnType<typeof tensorFlowFunction>>,
  given: { readonly [name: string]: CallValue },
): BoundOperation {
  const ours = new Map(parameters.map(parameter => [theirs(parameter), parameter.split('=')[0] ?? parameter]));
  // The first argument is called otherwise in some versions.
  const values = Object.fromEntries(Object.entries(given).map(([name, value]) => [ours.get(name) ?? name, value]));
  // A number of parts is no list of their sizes.
  const { sizes, ...rest } = values;
  const split: Record<string, CallValue> =
    typeof sizes === 'number' ? { indices_or_sections: sizes } : sizes === undefined ? {} : { sizes };
  return { operation: requireOperation(operation), values: { ...fixed, ...rest, ...split } };
}

/** `node_def` names the operation; arguments stand at their positions in `constants`, the rest are tensors. */
function bindGraphOperation(settings: LayerSettings): BoundOperation | string {
  const node = settings.config.node_def as JsonObject | undefined;
  const op = typeof node === 'object' && node !== null ? textIn(node, 'op', '') : '';
  const known = graphOperation(op);
  if (known === undefined) return `the TensorFlow operation \`${op}\`, which is not among the known ones`;
  const constants = (settings.config.constants ?? {}) as JsonObject;
  const tensors: CallValue[] = settings.args.flatMap(value =>
    Array.isArray(value) ? (value as CallValue[]) : [value],
  );
  const count = tensors.length + Object.keys(constants).length;
  const args = Array.from({ length: count }, (_, index): CallValue => constants[index] ?? tensors.shift() ?? null);
  const joined: CallValue[] = op === 'ConcatV2' ? [args.slice(0, -1), args.at(-1) ?? 0] : args;
  const attributes = (node?.attr ?? {}) as { readonly keep_dims?: { readonly b?: Json } };
  const keepdims: Record<string, CallValue> = attributes.keep_dims?.b === true ? { keepdims: true } : {};
  return bindTensorFlow(known, {
    ...bindArguments({ args: joined, kwargs: {} }, known.parameters.map(theirs)),
    ...keepdims,
  });
}

const SHAPES: TensorKind<ShapeOnly> = {
  isTensor: (value): value is ShapeOnly =>
    typeof value === 'object' && value !== null && 'shape' in value && Array.isArray(value.shape),
  fromConstant: shape => ({ shape }),
  numbersIn: ({ shape }) => Array.from({ length: shape[0] ?? 1 }, () => null),
};

function tensorsOf(tf: Tfjs): TensorKind<tf.Tensor> {
  return {
    isTensor: (value): value is tf.Tensor => value instanceof tf.Tensor,
    fromConstant: (shape, values) => tf.tensor([...values], [...shape], 'float32'),
    numbersIn: tensor => Array.from(tensor.dataSync()),
  };
}

function valuesOf<T extends { readonly shape: readonly (number | null)[] }>(
  values: { readonly [name: string]: CallValue },
  inputs: readonly T[],
  kind: TensorKind<T>,
): OperationValues<T> {
  const pick = (input: number): T => {
    const tensor = inputs[input];
    if (tensor === undefined) throw new Error(`Expected a tensor ${input}`);
    return tensor;
  };
  const filled = Object.entries(values).map(([name, value]) => [name, fillSlots(value, pick)] as const);
  return new OperationValues(Object.fromEntries(filled), kind);
}

function requireOperation(name: string): Operation {
  const operation = OPERATIONS[name];
  if (operation === undefined) throw new Error(`Expected an operation '${name}'`);
  return operation;
}

/** TensorFlow's name of a parameter written as `ours=theirs`. */
function theirs(parameter: string): string {
  return parameter.split('=')[1] ?? parameter;
}
