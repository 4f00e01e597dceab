// What `layertap layers` prints, for any format: names, classes, shapes, parameters and edges. No weights, no runtime.

export interface Layer {
  /** Position in the table, from 0. */
  readonly index: number;
  /**
   * The name users select by and the column is called: the path through nested models (`backbone/conv5`), with `#1`,
   * `#2`, … for what further outputs of a layer, and further calls of a shared layer, give. Unique.
   */
  readonly name: string;
  /** Class as the model's own format calls it, such as Conv2D. */
  readonly className: string;
  /** Shape without the batch axis; null for an axis that the model leaves open. Empty where it is not known before a run. */
  readonly outputShape: readonly (number | null)[];
  /** Number of parameters (weights), trainable or not. */
  readonly parameters: number;
  /** Names of the layers whose outputs it takes. */
  readonly inbound: readonly string[];
  /** The model doesn't say where the channels are, so features lie as it gives them. @default the last axis */
  readonly channelAxis?: 'unknown';
  /** Why its values cannot be had, for a layer that can be listed but not rebuilt. @default it can be extracted */
  readonly unsupported?: string;
}

export interface LayerTable {
  readonly layers: readonly Layer[];
  /** Shape of the image input without the batch axis, [height, width, channels]; null where left open. */
  readonly inputShape: readonly (number | null)[];
  /** Names of the layers that give the model's predictions. */
  readonly outputs: readonly string[];
  /** What the file itself calls the model, such as `resnet50`: a hint for a recipe, never more. */
  readonly modelName?: string;
  /** Layers right behind the image input that scale or shift its values: the graph prepares its own input. @default none */
  readonly preprocessing?: readonly InputPreparation[];
}

/** A layer inside the graph that does what a recipe would do. */
export interface InputPreparation {
  /** Its name in the table. */
  readonly layer: string;
  /** For people, such as `x / 255` or `(x - mean) / std`. */
  readonly does: string;
}
