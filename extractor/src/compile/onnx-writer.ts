// Grows an ONNX graph node by node. It knows nothing of where the nodes come from.
import {
  type AttributeValue,
  attributeMessage,
  DATA_TYPES,
  encodeModel,
  type ModelMessage,
  type NodeMessage,
  type OnnxDtype,
  type TensorMessage,
  valueMessage,
} from './onnx-schema.ts';

/** Of 2022: all reductions take their axes in one way from here on. */
export const OPSET = 18;
const IR_VERSION = 8;

export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

export class OnnxWriter {
  private readonly nodes: NodeMessage[] = [];
  private readonly initializers: TensorMessage[] = [];
  private readonly inputs: object[] = [];
  private readonly outputs: { readonly name: string }[] = [];
  private readonly known = new Map<string, string>();
  private readonly taken = new Set<string>();
  private names = 0;

  /** @param dims a text names an axis of any length */
  input(name: string, dtype: OnnxDtype, dims: readonly (number | string)[]): void {
    this.taken.add(name);
    this.inputs.push(valueMessage(name, dtype, dims));
  }

  /** Makes a tensor an output of the model under another name. */
  output(name: string, tensor: string, dtype: OnnxDtype, dims: readonly (number | string)[]): void {
    this.taken.add(name);
    this.nodes.push({ name: `output/${name}`, opType: 'Identity', input: [tensor], output: [name], attribute: [] });
    this.outputs.push({ ...valueMessage(name, dtype, dims), name });
  }

  /** Names that tensors inside the graph must leave free. */
  reserve(names: readonly string[]): void {
    for (const name of names) this.taken.add(name);
  }

  /** The node's first output. An empty input is an optional one that is left out. */
  node(opType: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.nodeOf(opType, inputs, 1, attributes)[0] ?? '';
  }

  nodeOf(opType: string, inputs: readonly string[], count: number, attributes: Attributes = {}): readonly string[] {
    const name = this.freeName(opType);
    const output = Array.from({ length: count }, (_, index) => (index === 0 ? name : this.freeName(opType)));
    const attribute = Object.entries(attributes).flatMap(([key, value]) =>
      value === undefined ? [] : [attributeMessage(key, value)],
    );
    this.nodes.push({ name, opType, input: inputs, output, attribute });
    return output;
  }

  /** A constant. Small equal ones are written once. */
  constant(data: Float32Array | Int32Array | Uint8Array | BigInt64Array, dims: readonly number[]): string {
    const dataType = DATA_TYPES[dtypeOf(data)];
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const key = rawData.length <= 256 ? `${dataType} ${dims} ${Buffer.from(rawData).toString('hex')}` : undefined;
    const known = key === undefined ? undefined : this.known.get(key);
    if (known !== undefined) return known;
    const name = this.freeName('constant');
    this.initializers.push({ name, dims, dataType, rawData });
    if (key !== undefined) this.known.set(key, name);
    return name;
  }

  /** A list of whole numbers: shapes, axes, starts. */
  list(values: readonly number[]): string {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length]);
  }

  scalar(value: number): string {
    return this.constant(Float32Array.of(value), []);
  }

  encode(name: string, producerVersion: string): Uint8Array {
    return encodeModel({
      irVersion: IR_VERSION,
      producerName: 'layertap',
      producerVersion,
      opsetImport: [{ domain: '', version: OPSET }],
      graph: { name, ...this.needed(), input: this.inputs, output: this.outputs },
    });
  }

  /** Bytes of the constants that an output needs: about the size of the model. */
  weightBytes(): number {
    return this.needed().initializer.reduce((sum, { rawData }) => sum + rawData.length, 0);
  }

  /** The nodes and constants that an output needs. */
  private needed(): Pick<ModelMessage['graph'], 'node' | 'initializer'> {
    const names = new Set(this.outputs.map(({ name }) => name));
    const node = this.nodes
      .toReversed()
      .filter(({ input, output }) => {
        if (!output.some(name => names.has(name))) return false;
        for (const name of input) names.add(name);
        return true;
      })
      .reverse();
    return { node, initializer: this.initializers.filter(({ name }) => names.has(name)) };
  }

  private freeName(base: string): string {
    for (;;) {
      const name = `${base}_${++this.names}`;
      if (!this.taken.has(name)) return name;
    }
  }
}

function dtypeOf(data: Float32Array | Int32Array | Uint8Array | BigInt64Array): OnnxDtype {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Int32Array) return 'int32';
  return data instanceof BigInt64Array ? 'int64' : 'bool';
}
