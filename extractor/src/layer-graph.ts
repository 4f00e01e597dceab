// The one in-memory form of a model's layers: names, classes, shapes, parameters and edges. No weights, no runtime.

export interface Layer {
  /** Position in the model, from 0. */
  readonly index: number;
  /** The name users select by and the column is called. */
  readonly name: string;
  /** Class as the model's own format calls it, such as Conv2D. */
  readonly className: string;
  /** Shape of the (first) output without the batch axis; null for an axis that the model leaves open. */
  readonly outputShape: readonly (number | null)[];
  /** Number of parameters (weights), trainable or not. */
  readonly parameters: number;
  /** Names of the layers whose outputs it takes. */
  readonly inbound: readonly string[];
  /** The model doesn't say where the channels are, so features lie as it gives them. @default the last axis */
  readonly channelAxis?: 'unknown';
}

export interface LayerGraph {
  readonly layers: readonly Layer[];
  /** Shape of the image input without the batch axis, [height, width, channels]; null where left open. */
  readonly inputShape: readonly (number | null)[];
  /** Names of the layers that give the model's predictions. */
  readonly outputs: readonly string[];
}
