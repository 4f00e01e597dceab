// A TensorFlow graph in memory, whatever file it came from: nodes, tensors, the image input. For graph models and SavedModels.

/** All axes of a tensor, the batch axis included; null for an open axis. */
export type GraphShape = readonly (number | null)[];

/** One output of a node. */
export interface TensorRef {
  readonly node: string;
  readonly output: number;
}

export interface GraphNode {
  /** Unique in the graph, and what the runtime knows it by. */
  readonly name: string;
  /** What users see: the name, without the wrapping of functions that were inlined. Unique. */
  readonly label: string;
  readonly op: string;
  /** Tensors it takes; control inputs are no part of it. */
  readonly inputs: readonly TensorRef[];
  /** Shapes of its outputs, as far as the file holds them; undefined where the rank is open too. */
  readonly outputShapes: readonly (GraphShape | undefined)[];
  /** Number of outputs where an attribute of the node decides it (Split, Unpack). @default as many as are used */
  readonly outputCount?: number;
  /** Element type of its first output in TensorFlow's name, such as DT_FLOAT, where the file says so. */
  readonly elementType?: string;
  /** Number of values that it holds: a constant or a variable. @default it computes */
  readonly size?: number;
}

/** A graph with everything a runtime needs to run it on images. */
export interface ImageGraph {
  readonly nodes: readonly GraphNode[];
  /** The node that takes the images. */
  readonly image: GraphInput;
  /** Further inputs that have no value of their own. */
  readonly otherInputs: readonly string[];
  /** Tensors that the model gives as its predictions, in its order. */
  readonly outputs: readonly TensorRef[];
}

export interface GraphInput {
  readonly node: string;
  /** Batch axis first; undefined where the file leaves even the rank open. */
  readonly shape: GraphShape | undefined;
  readonly elementType: string;
}

/** `name`, `name:1` and `^name`: undefined for the last, a control input, which carries no tensor. */
export function parseTensorName(text: string): TensorRef | undefined {
  if (text.startsWith('^')) return undefined;
  const match = /^(.*):(\d+)$/.exec(text);
  if (match === null) return { node: text, output: 0 };
  return { node: match[1] ?? '', output: Number(match[2]) };
}

/** The name of a tensor as layers are called: `NAME`, and `NAME#1` for a further output. */
export function layerName(label: string, output: number): string {
  return output === 0 ? label : `${label}#${output}`;
}

/** The input that takes images: the first of four axes, or the only one; undefined where there is none. */
export function imageInputOf(inputs: readonly GraphInput[]): GraphInput | undefined {
  const [only, ...others] = inputs;
  const image = inputs.find(input => input.shape?.length === 4);
  return image ?? (others.length === 0 && only?.shape === undefined ? only : undefined);
}
