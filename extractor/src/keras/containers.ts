// What kind of model a config describes, and its layers as they stand there. For read-graph.ts.
import { Refusal } from '../../../shared/src/errors.ts';
import type { Json, JsonObject, KerasDialect } from '../layer-graph.ts';
import { isList, isObject } from './layer-config.ts';

/** A layer or model as the config holds it. */
export interface LayerSpec {
  readonly className: string;
  readonly name: string;
  readonly config: JsonObject;
  readonly inboundNodes: readonly Json[];
}

export interface FunctionalSpec {
  readonly kind: 'functional';
  readonly name: string;
  readonly layers: readonly LayerSpec[];
  readonly inputLayers: Json | undefined;
  readonly outputLayers: Json | undefined;
}

export interface SequentialSpec {
  readonly kind: 'sequential';
  readonly name: string;
  readonly layers: readonly LayerSpec[];
  /** With the batch axis, where the config holds it. */
  readonly inputShape: Json | undefined;
}

export type ContainerSpec = FunctionalSpec | SequentialSpec;

/** @param model `{ class_name, config }` of a whole model, of any Keras */
export function readModelSpec(model: JsonObject): ContainerSpec {
  const spec = readLayerSpec(model, 0);
  const container = containerOf(spec);
  if (container !== undefined) return container;
  throw new Refusal(
    'model-unreadable',
    `Expected a functional or sequential Keras model but received ${spec.className} '${spec.name}', a subclassed model`,
    {
      hint: 'Its layers stand in Python code, not in the file: rebuild it as keras.Model(inputs, outputs) and save that, or export it as ONNX or SavedModel.',
    },
  );
}

/** The model that a layer is, if it is one: by what its config holds, since subclasses of Model have names of their own. */
export function containerOf({ className, name, config }: LayerSpec): ContainerSpec | undefined {
  const layers = isList(config.layers) ? config.layers : undefined;
  if (layers === undefined || !layers.every(isObject)) return undefined;
  const specs = layers.map(readLayerSpec);
  if (className !== 'Sequential' && config.output_layers !== undefined) {
    return {
      kind: 'functional',
      name,
      layers: specs,
      inputLayers: config.input_layers,
      outputLayers: config.output_layers,
    };
  }
  if (className !== 'Sequential') return undefined;
  return { kind: 'sequential', name, layers: specs, inputShape: config.build_input_shape };
}

function readLayerSpec(layer: JsonObject, position: number): LayerSpec {
  const className = typeof layer.class_name === 'string' ? layer.class_name : '';
  // Sequential models of early Keras are a bare list of layers.
  const config = isList(layer.config) ? { layers: layer.config } : isObject(layer.config) ? layer.config : {};
  const name = [layer.name, config.name].find(given => typeof given === 'string' && given !== '');
  return {
    className: operationClass(layer, className),
    name: typeof name === 'string' ? name : `${className.toLowerCase()}_${position}`,
    config,
    inboundNodes: isList(layer.inbound_nodes) ? layer.inbound_nodes : [],
  };
}

/** Keras 3 writes a plain operation on tensors as a layer; its class may be called as a layer's is (Add). */
function operationClass(layer: JsonObject, className: string): string {
  const from = typeof layer.module === 'string' ? layer.module : '';
  return /^keras\.(src\.)?(ops|backend)\b/.test(from) ? `keras.ops.${className}` : className;
}

/** By the version that the file names, else by what only Keras 3 writes. */
export function dialectOf(version: string | undefined, model: JsonObject): KerasDialect {
  const major = /^(\d+)\./.exec(version ?? '')?.[1];
  if (major !== undefined) return Number(major) >= 3 ? 3 : 2;
  return /"(__keras_tensor__|batch_shape|DTypePolicy)"/.test(JSON.stringify(model)) ? 3 : 2;
}
