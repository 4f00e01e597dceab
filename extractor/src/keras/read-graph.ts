// A Keras model's config, of any version, as a LayerGraph: the calls of all layers in an order in which they can run,
// nested models inlined. For the readers of Keras' file formats.
import { Refusal } from '../../../shared/src/errors.ts';
import type {
  CallValue,
  GraphLayer,
  JsonObject,
  KerasDialect,
  LayerCall,
  LayerGraph,
  NestedModel,
  TensorRef,
} from '../layer-graph.ts';
import type { KerasTree } from '../models/keras-tree.ts';
import { type ContainerSpec, containerOf, type FunctionalSpec, type LayerSpec, readModelSpec } from './containers.ts';
import {
  type InboundNode,
  type NamedTensor,
  type NodeValue,
  readInboundNode,
  readNamedTensors,
  tensorsOf,
} from './inbound-nodes.ts';
import { isObject, normaliseConfig } from './layer-config.ts';
import { pathsOf, treeOf } from './model-tree.ts';
import { nodeShifts, outputCounts } from './node-counts.ts';

export interface ReadKerasModel {
  readonly graph: LayerGraph;
  /** The layers as they are nested in the file, for finding their weights. */
  readonly tree: KerasTree;
}

/**
 * @param model `{ class_name, config }` of a functional or sequential model
 * @throws Refusal `model-unreadable` for a subclassed model, or edges that lead nowhere
 */
export function readLayerGraph(model: JsonObject, dialect: KerasDialect): ReadKerasModel {
  const container = readModelSpec(model);
  const builder = new GraphBuilder(dialect);
  const { inputs, outputs } = builder.addModel(container, '', undefined);
  const tree = treeOf(container, '');
  const graph = { ...inFileOrder(builder, tree), inputs, outputs, nested: builder.nested, name: container.name };
  return { graph, tree };
}

/** Layers as the file lists them, which is Keras' own order of `model.layers`; calls keep the order of running. */
function inFileOrder({ layers, calls }: GraphBuilder, tree: KerasTree): Pick<LayerGraph, 'layers' | 'calls'> {
  const paths = new Map(pathsOf(tree).map((path, position) => [path, position]));
  const place = (index: number): number => paths.get(layers[index]?.name ?? '') ?? -1;
  const order = layers.map((_, index) => index).sort((a, b) => place(a) - place(b) || a - b);
  const moved = new Map(order.map((index, position) => [index, position]));
  return {
    layers: order.flatMap(index => layers[index] ?? []),
    calls: calls.map(call => ({ ...call, layer: moved.get(call.layer) ?? call.layer })),
  };
}

interface ModelTensors {
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
}

/** Deeper nesting is no model that anybody made. */
const MAX_DEPTH = 32;

/** Collects layers and calls while models are inlined, the outer one first. */
class GraphBuilder {
  readonly layers: GraphLayer[] = [];
  readonly calls: LayerCall[] = [];
  readonly nested: NestedModel[] = [];
  private readonly dialect: KerasDialect;
  /** By path: a layer or nested model that is called again keeps its place. */
  private readonly layerIndex = new Map<string, number>();
  private readonly nestedCalls = new Map<string, (readonly TensorRef[])[]>();

  constructor(dialect: KerasDialect) {
    this.dialect = dialect;
  }

  /** @param given tensors that a nested model is called on; undefined for the outermost model, which has inputs of its own */
  addModel(model: ContainerSpec, prefix: string, given: readonly TensorRef[] | undefined): ModelTensors {
    if (prefix.split('/').length > MAX_DEPTH) {
      throw new Refusal('model-unreadable', `Expected models nested at most ${MAX_DEPTH} deep but received more`);
    }
    return model.kind === 'sequential'
      ? this.addSequential(model, prefix, given)
      : this.addFunctional(model, prefix, given);
  }

  private addSequential(
    model: Extract<ContainerSpec, { kind: 'sequential' }>,
    prefix: string,
    given: readonly TensorRef[] | undefined,
  ): ModelTensors {
    const [first] = model.layers;
    const rest = first?.className === 'InputLayer' ? model.layers.slice(1) : model.layers;
    const inputs = given ?? [this.addInput(sequentialInput(model, first), prefix, { hidden: true })];
    let tensors: readonly TensorRef[] = inputs.slice(0, 1);
    for (const layer of rest) {
      // A TensorFlow.js Sequential may repeat the input shape on later layers, where it is wrong.
      const { batch_input_shape: _repeated, batch_shape: _also, ...config } = layer.config;
      const args: CallValue[] = [{ $input: 0 }];
      tensors = this.addCall({ ...layer, config }, prefix, { args, kwargs: {}, inputs: tensors, outputs: 1 });
    }
    return { inputs, outputs: tensors };
  }

  private addFunctional(model: FunctionalSpec, prefix: string, given: readonly TensorRef[] | undefined): ModelTensors {
    const specs = new Map(model.layers.map(layer => [layer.name, layer]));
    const nodes = new Map(
      model.layers.map(layer => [
        layer.name,
        layer.inboundNodes.map(node => readInboundNode(node, name => specs.has(name))),
      ]),
    );
    const outputNames = readNamedTensors(model.outputLayers);
    /** Every tensor that a layer or the model itself takes. */
    const references = [...[...nodes.values()].flat().flatMap(tensorsOf), ...outputNames];
    const shifts = nodeShifts(nodes, references);
    /** What each call gave, by `layer:node`. */
    const results = new Map<string, readonly TensorRef[]>();
    const keyOf = ({ layer, node }: NamedTensor): string => `${layer}:${node - (shifts.get(layer) ?? 0)}`;
    const find = (tensor: NamedTensor): TensorRef | undefined => results.get(keyOf(tensor))?.[tensor.output];

    const inputNames = readNamedTensors(model.inputLayers);
    const inputs = inputNames.map((input, position) => {
      const spec = specs.get(input.layer);
      if (spec === undefined) throw brokenEdge(prefix + model.name, input.layer);
      const tensor = given === undefined ? this.addInput(spec, prefix) : given[position];
      if (tensor === undefined) throw brokenEdge(prefix + model.name, input.layer);
      results.set(`${input.layer}:0`, [tensor]);
      return tensor;
    });

    const widths = outputCounts(references);
    let waiting = model.layers.flatMap(spec =>
      (nodes.get(spec.name) ?? []).map((node, index) => ({ spec, node, index })),
    );
    while (waiting.length > 0) {
      // Layers stand in the file in an order of their own: those whose inputs are there go first.
      const later: typeof waiting = [];
      for (const entry of waiting) {
        const { spec, node, index } = entry;
        const tensors = tensorsOf(node).map(find);
        if (tensors.includes(undefined)) {
          later.push(entry);
          continue;
        }
        const call = fillSlots(node, tensors as readonly TensorRef[]);
        const key = `${spec.name}:${index}`;
        results.set(key, this.addCall(spec, prefix, { ...call, outputs: widths.get(spec.name) ?? 1 }));
      }
      if (later.length === waiting.length) {
        const [stuck] = later;
        const missing = stuck && tensorsOf(stuck.node).find(tensor => find(tensor) === undefined);
        throw brokenEdge(prefix + (stuck?.spec.name ?? model.name), missing?.layer ?? '');
      }
      waiting = later;
    }
    const outputs = outputNames.map(output => {
      const tensor = find(output);
      if (tensor === undefined) throw brokenEdge(prefix + model.name, output.layer);
      return tensor;
    });
    if (outputs.length === 0) throw brokenEdge(prefix + model.name, 'output_layers');
    return { inputs, outputs };
  }

  private addInput(spec: LayerSpec, prefix: string, options: { readonly hidden?: true } = {}): TensorRef {
    const config = normaliseConfig(spec.config);
    const layer = this.addLayer({ ...spec, className: 'InputLayer' }, prefix, config, options);
    this.calls.push({ layer, inputs: [], args: [], kwargs: {}, outputs: 1 });
    return { call: this.calls.length - 1, output: 0 };
  }

  /** Adds a call of a layer, or all calls of a nested model; returns what it gives. */
  private addCall(spec: LayerSpec, prefix: string, call: Omit<LayerCall, 'layer'>): readonly TensorRef[] {
    const path = prefix + spec.name;
    const model = containerOf(spec);
    if (model === undefined) {
      const className = calledClass(spec.className, call, this.dialect);
      const layer = this.addLayer({ ...spec, className }, prefix, normaliseConfig(spec.config));
      this.calls.push({ layer, ...call });
      const made = this.calls.length - 1;
      return Array.from({ length: call.outputs }, (_, output) => ({ call: made, output }));
    }
    const outputs = this.nestedCalls.get(path) ?? [];
    if (outputs.length === 0) {
      this.nestedCalls.set(path, outputs);
      this.nested.push({ name: path, className: spec.className, outputs });
    }
    const given = orderInputs(model, call);
    const added = this.addModel(model, `${path}/`, given);
    outputs.push(added.outputs);
    return added.outputs;
  }

  private addLayer(
    spec: LayerSpec,
    prefix: string,
    config: JsonObject,
    options: { readonly hidden?: true } = {},
  ): number {
    const name = prefix + spec.name;
    const known = this.layerIndex.get(name);
    if (known !== undefined) return known;
    this.layers.push({ name, className: spec.className, config, dialect: this.dialect, ...options });
    this.layerIndex.set(name, this.layers.length - 1);
    return this.layers.length - 1;
  }
}

/** Layers of Keras that take one list of tensors, and operations of the same name that take two tensors or constants. */
const MERGING = new Set(['Add', 'Subtract', 'Multiply', 'Maximum', 'Minimum', 'Average', 'Dot']);

/** Keras 3's .h5 files do not say whether a class is a layer or an operation: how it is called does. */
function calledClass(className: string, { args }: Omit<LayerCall, 'layer'>, dialect: KerasDialect): string {
  return dialect === 3 && MERGING.has(className) && !Array.isArray(args[0]) ? `keras.ops.${className}` : className;
}

/** A Sequential that names no input layer has its shape on the first layer, or on itself. */
function sequentialInput(
  model: Extract<ContainerSpec, { kind: 'sequential' }>,
  first: LayerSpec | undefined,
): LayerSpec {
  if (first?.className === 'InputLayer') return first;
  const shape = (first && declaredShape(first)) ?? model.inputShape ?? null;
  const name = `${first?.name ?? model.name}_input`;
  return { className: 'InputLayer', name, config: { batch_shape: shape }, inboundNodes: [] };
}

/** The input shape that a first layer carries; of a model its first layer's. */
function declaredShape(layer: LayerSpec): JsonObject[string] | undefined {
  const own = layer.config.batch_shape ?? layer.config.batch_input_shape;
  if (own !== undefined && own !== null) return own;
  const model = containerOf(layer);
  if (model === undefined) return undefined;
  if (model.kind === 'sequential') return (model.layers[0] && declaredShape(model.layers[0])) ?? model.inputShape;
  const [input] = readNamedTensors(model.inputLayers);
  const spec = model.layers.find(({ name }) => name === input?.layer);
  return spec && declaredShape(spec);
}

/** The node's arguments with slots in place of its tensors. */
function fillSlots(node: InboundNode, inputs: readonly TensorRef[]): Omit<LayerCall, 'layer' | 'outputs'> {
  let next = 0;
  const fill = (value: NodeValue): CallValue => {
    if (value.kind === 'constant') return value.value;
    if (value.kind === 'tensor') return { $input: next++ };
    if (value.kind === 'list') return value.items.map(fill);
    return Object.fromEntries(Object.entries(value.fields).map(([name, field]) => [name, fill(field)]));
  };
  const args = node.args.map(fill);
  const kwargs = Object.fromEntries(Object.entries(node.kwargs).map(([name, value]) => [name, fill(value)]));
  return { inputs, args, kwargs };
}

/** A nested model that is called on a record of tensors takes them by the names of its inputs. */
function orderInputs(model: ContainerSpec, { args, inputs }: Omit<LayerCall, 'layer'>): readonly TensorRef[] {
  const [first] = args;
  if (model.kind === 'sequential' || !isObject(first as JsonObject) || '$input' in (first as JsonObject)) return inputs;
  const slots = first as Readonly<Record<string, { readonly $input?: number }>>;
  const ordered = readNamedTensors(model.inputLayers).map(({ layer }) => inputs[slots[layer]?.$input ?? -1]);
  return ordered.includes(undefined) ? inputs : (ordered as readonly TensorRef[]);
}

function brokenEdge(layer: string, missing: string): Refusal {
  return new Refusal('model-unreadable', `Expected layer '${layer}' to be connected but '${missing}' is missing`, {
    hint: 'The config in the model file is damaged or was edited: save the model again.',
  });
}
