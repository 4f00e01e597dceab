// Preprocessing that is part of an ONNX graph: constants added to, subtracted from or multiplied with the image input
// before the first real layer. For the reader.
import type { InputPreparation } from '../layer-table.ts';
import type { OnnxGraph, OnnxNode } from './onnx-graph.ts';
import { followInput } from './onnx-input-chain.ts';
import { readValues } from './onnx-tensor.ts';

const SIGNS: Readonly<Record<string, string>> = { Add: '+', Sub: '-', Mul: '*', Div: '/' };
/** One value per channel is what people want to see; more is an image. */
const MOST_VALUES = 4;

/** @param input name of the image input */
export function inputPreparation(graph: OnnxGraph, input: string): readonly InputPreparation[] {
  let tensor = input;
  return followInput(graph, input).passed.flatMap(node => {
    const does = describe(graph, node, tensor);
    tensor = node.outputs[0] ?? '';
    return does === undefined ? [] : [{ layer: tensor, does }];
  });
}

/** Undefined for what leaves the values as they are. */
function describe(graph: OnnxGraph, node: OnnxNode, tensor: string): string | undefined {
  const [left = '', right = ''] = node.inputs;
  if (node.opType === 'BatchNormalization') {
    const [, scale = '', bias = '', mean = '', variance = ''] = node.inputs;
    return `(x - ${valueText(graph, mean)}) / sqrt(${valueText(graph, variance)}) * ${valueText(graph, scale)} + ${valueText(graph, bias)}`;
  }
  const sign = SIGNS[node.opType];
  if (sign === undefined) return undefined;
  const other = left === tensor ? right : left;
  const values = valuesOf(graph, other);
  const neutral = node.opType === 'Add' || node.opType === 'Sub' ? 0 : 1;
  if (values?.every(value => value === neutral) === true) return undefined;
  const isEitherWay = sign === '*' || sign === '+';
  const constant = valueText(graph, other);
  return left === tensor || isEitherWay ? `x ${sign} ${constant}` : `${constant} ${sign} x`;
}

function valueText(graph: OnnxGraph, name: string): string {
  const values = valuesOf(graph, name)?.map(value => Number(value.toPrecision(6)));
  if (values === undefined) return `'${name}'`;
  return values.every(value => value === values[0]) ? `${values[0]}` : `[${values.join(', ')}]`;
}

/** Follows what only changes the axes or the type of a constant. */
function valuesOf(graph: OnnxGraph, name: string, steps = 0): readonly number[] | undefined {
  const weight = graph.weights.find(candidate => candidate.name === name);
  if (weight !== undefined) return readValues(weight, MOST_VALUES);
  const maker = graph.nodes.find(node => node.outputs[0] === name);
  if (maker?.opType === 'Constant') return maker.value === undefined ? undefined : readValues(maker.value, MOST_VALUES);
  const isTurn = maker !== undefined && ['Cast', 'Identity', 'Reshape', 'Squeeze', 'Unsqueeze'].includes(maker.opType);
  return isTurn && steps < 8 ? valuesOf(graph, maker.inputs[0] ?? '', steps + 1) : undefined;
}
