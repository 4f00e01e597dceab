// Kernels that work element by element, with broadcasting. They keep whatever layout their inputs have.
import type { LowerCall, Lowering } from './lowering.ts';
import { commonLayout, inputOf, listOf, operand } from './operands.ts';

type WriteUnary = (x: string, to: Lowering) => string;
type WriteBinary = (a: string, b: string, to: Lowering) => string;

const DTYPES = { float32: 1, int32: 6, bool: 9 } as const;

function unary(write: WriteUnary, input = 'x'): LowerCall {
  return (call, to) => {
    const x = inputOf(call, input);
    const layout = to.layoutOf(x);
    to.give(call.outputs[0] ?? -1, write(to.take(x, layout), to), layout);
  };
}

function operator(opType: string): LowerCall {
  return unary((x, to) => to.writer.node(opType, [x]));
}

function binary(write: WriteBinary): LowerCall {
  return (call, to) => {
    const [a, b] = [inputOf(call, 'a'), inputOf(call, 'b')];
    const output = call.outputs[0] ?? -1;
    const rank = to.rankOf(output);
    const layout = commonLayout(to, [a, b], rank);
    to.give(output, write(operand(to, a, rank, layout), operand(to, b, rank, layout), to), layout);
  };
}

function binaryOperator(opType: string): LowerCall {
  return binary((a, b, to) => to.writer.node(opType, [a, b]));
}

const addAll: LowerCall = (call, to) => {
  const values = listOf(call);
  const output = call.outputs[0] ?? -1;
  const rank = to.rankOf(output);
  const layout = commonLayout(to, values, rank);
  const tensors = values.map(value => operand(to, value, rank, layout));
  to.give(output, to.writer.node('Sum', tensors), layout);
};

const select: LowerCall = (call, to) => {
  const values = [inputOf(call, 'condition'), inputOf(call, 't'), inputOf(call, 'e')];
  const output = call.outputs[0] ?? -1;
  const rank = to.rankOf(output);
  const layout = commonLayout(to, values, rank);
  to.give(
    output,
    to.writer.node(
      'Where',
      values.map(value => operand(to, value, rank, layout)),
    ),
    layout,
  );
};

const cast: LowerCall = (call, to) => {
  const x = inputOf(call, 'x');
  const layout = to.layoutOf(x);
  const output = call.outputs[0] ?? -1;
  to.give(output, to.writer.node('Cast', [to.take(x, layout)], { to: DTYPES[to.valueOf(output).dtype] }), layout);
};

const same: LowerCall = (call, to) => to.giveReshaped(call.outputs[0] ?? -1, inputOf(call, 'x'));

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
