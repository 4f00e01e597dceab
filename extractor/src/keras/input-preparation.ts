// What a Keras graph does to its image input before the first real layer: the recipe inside the graph. For keras-model.ts.
import type { GraphLayer, Json, LayerCall, LayerGraph } from '../layer-graph.ts';
import type { InputPreparation } from '../layer-table.ts';
import { isList } from './layer-config.ts';

/** Layers that leave the values as they are, or only move them: preparation may go on behind them. */
const TRANSPARENT =
  /^(InputLayer|Resizing|CenterCrop|ZeroPadding2D|Identity|Random\w+|Dropout|GaussianNoise|keras\.ops\.Cast)$/;

/** How an operation is said to people, by the last part of its name. */
const OPERATORS: Readonly<Record<string, string>> = {
  multiply: '*',
  subtract: '-',
  add: '+',
  truedivide: '/',
  truediv: '/',
  divide: '/',
};

/** Follows the first input as long as one layer alone takes each value; the layers that scale or shift, in order. */
export function findInputPreparation(graph: LayerGraph): readonly InputPreparation[] {
  const found: InputPreparation[] = [];
  let tensor = graph.inputs[0];
  while (tensor !== undefined) {
    const { call: from } = tensor;
    const takers = graph.calls.flatMap((call, index) => (call.inputs.some(ref => ref.call === from) ? [index] : []));
    const [taker] = takers;
    const call = taker === undefined ? undefined : graph.calls[taker];
    const layer = call && graph.layers[call.layer];
    if (takers.length !== 1 || taker === undefined || call === undefined || layer === undefined) break;
    const does = preparationOf(layer, call);
    if (does !== undefined) found.push({ layer: layer.name, does });
    else if (!isTransparent(layer)) break;
    tensor = { call: taker, output: 0 };
  }
  return found;
}

function preparationOf(layer: GraphLayer, call: LayerCall): string | undefined {
  const { config, className } = layer;
  if (className === 'Rescaling') {
    const offset = numberText(config.offset ?? 0);
    return `x * ${numberText(config.scale ?? 1)}${offset === '0' ? '' : ` + ${offset}`}`;
  }
  if (className === 'Normalization') {
    // It undoes one, so it stands at the end of a model that gives images.
    if (config.invert === true) return undefined;
    return config.mean == null ? '(x - mean) / std' : `(x - ${numberText(config.mean)}) / std`;
  }
  const operation = className === 'TFOpLambda' ? String(config.function ?? '') : className;
  const operator = OPERATORS[(/[A-Za-z_]+$/.exec(operation)?.[0] ?? '').toLowerCase()];
  // The layers Add and Multiply join two tensors; operations with a constant are what counts here.
  if (operator === undefined || !/[.]/.test(operation) || call.inputs.length !== 1) return undefined;
  const constant = [...call.args, ...Object.values(call.kwargs)].find(isNumeric);
  return constant === undefined ? undefined : `x ${operator} ${numberText(constant as Json)}`;
}

function isTransparent({ className, config }: GraphLayer): boolean {
  return TRANSPARENT.test(className) || (className === 'TFOpLambda' && /(^|\.)cast$/.test(String(config.function)));
}

function isNumeric(value: unknown): boolean {
  return typeof value === 'number' || (Array.isArray(value) && value.length > 0 && value.every(isNumeric));
}

/** Four digits are enough to recognise 1/255. */
function numberText(value: Json): string {
  if (isList(value)) return `[${value.map(numberText).join(', ')}]`;
  return typeof value === 'number' ? String(Number(value.toPrecision(4))) : String(value);
}
