// Kernels that work element by element, with broadcasting. They keep whatever layout their inputs have.
import type { LowerCall, Lowering } from './lowering.ts';
import { DATA_TYPES } from './onnx-schema.ts';
import { combine, inputOf, listOf, outputOf } from './operands.ts';

type WriteUnary = (x: string, to: Lowering) => string;
type WriteBinary = (a: string, b: string, to: Lowering) => string;

function unary(write: WriteUnary): LowerCall {
  return (call, to) => {
    const x = inputOf(call, 'x');
    const layout = to.layoutOf(x);
    to.give(outputOf(call), write(to.take(x, layout), to), layout);
  };
}

function operator(opType: string): LowerCall {
  return unary((x, to) => to.writer.node(opType, [x]));
}

function binary(write: WriteBinary): LowerCall {
  return (call, to) =>
    combine(call, to, [inputOf(call, 'a'), inputOf(call, 'b')], ([a = '', b = '']) => write(a, b, to));
}

function binaryOperator(opType: string): LowerCall {
  return binary((a, b, to) => to.writer.node(opType, [a, b]));
}

const addAll: LowerCall = (call, to) => combine(call, to, listOf(call), tensors => to.writer.node('Sum', tensors));

const select: LowerCall = (call, to) => {
  const values = ['condition', 't', 'e'].map(name => inputOf(call, name));
  combine(call, to, values, tensors => to.writer.node('Where', tensors));
};

const cast: LowerCall = (call, to) => {
  const x = inputOf(call, 'x');
  const layout = to.layoutOf(x);
  const output = outputOf(call);
  to.give(output, to.writer.node('Cast', [to.take(x, layout)], { to: DATA_TYPES[to.valueOf(output).dtype] }), layout);
};

const same: LowerCall = (call, to) => to.giveReshaped(outputOf(call), inputOf(call, 'x'));

const floorDivide: WriteBinary = (a, b, to) => to.writer.node('Floor', [to.writer.node('Div', [a, b])]);

export const ELEMENTWISE: Readonly<Record<string, LowerCall>> = {
  Identity: same,
  Cast: cast,
  Abs: operator('Abs'),
  Acos: operator('Acos'),
  Acosh: operator('Acosh'),
  Asin: operator('Asin'),
  Asinh: operator('Asinh'),
  Atan: operator('Atan'),
  Atanh: operator('Atanh'),
  Ceil: operator('Ceil'),
  Cos: operator('Cos'),
  Cosh: operator('Cosh'),
  Erf: operator('Erf'),
  Exp: operator('Exp'),
  Expm1: unary((x, to) => to.writer.node('Sub', [to.writer.node('Exp', [x]), to.writer.scalar(1)])),
  Floor: operator('Floor'),
  IsInf: operator('IsInf'),
  IsNan: operator('IsNaN'),
  Log: operator('Log'),
  Log1p: unary((x, to) => to.writer.node('Log', [to.writer.node('Add', [x, to.writer.scalar(1)])])),
  LogicalNot: operator('Not'),
  Neg: operator('Neg'),
  Reciprocal: operator('Reciprocal'),
  Round: operator('Round'),
  Rsqrt: unary((x, to) => to.writer.node('Reciprocal', [to.writer.node('Sqrt', [x])])),
  Sign: operator('Sign'),
  Sin: operator('Sin'),
  Sinh: operator('Sinh'),
  Sqrt: operator('Sqrt'),
  Square: unary((x, to) => to.writer.node('Mul', [x, x])),
  Tan: operator('Tan'),
  Tanh: operator('Tanh'),
  Add: binaryOperator('Add'),
  AddN: addAll,
  Equal: binaryOperator('Equal'),
  FloorDiv: binary(floorDivide),
  Greater: binaryOperator('Greater'),
  GreaterEqual: binaryOperator('GreaterOrEqual'),
  Less: binaryOperator('Less'),
  LessEqual: binaryOperator('LessOrEqual'),
  LogicalAnd: binaryOperator('And'),
  LogicalOr: binaryOperator('Or'),
  LogicalXor: binaryOperator('Xor'),
  Maximum: binaryOperator('Max'),
  Minimum: binaryOperator('Min'),
  // TensorFlow's remainder has the divisor's sign.
  Mod: binary((a, b, to) => to.writer.node('Sub', [a, to.writer.node('Mul', [floorDivide(a, b, to), b])])),
  Multiply: binaryOperator('Mul'),
  NotEqual: binary((a, b, to) => to.writer.node('Not', [to.writer.node('Equal', [a, b])])),
  Pow: binaryOperator('Pow'),
  RealDiv: binaryOperator('Div'),
  SquaredDifference: binary((a, b, to) => {
    const difference = to.writer.node('Sub', [a, b]);
    return to.writer.node('Mul', [difference, difference]);
  }),
  Sub: binaryOperator('Sub'),
  Select: select,
};
