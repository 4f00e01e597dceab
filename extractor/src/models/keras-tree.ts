// The layers of a Keras model as they are nested in its file: what weights are found by.

export interface KerasTree {
  readonly name: string;
  /** Path in the LayerGraph: `backbone/conv5`; empty for the outermost model. */
  readonly path: string;
  readonly className: string;
  readonly trainable: boolean;
  /** Of a model: its layers in the order of the config, input layers included. */
  readonly children?: readonly KerasTree[];
}
