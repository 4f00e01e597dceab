// The one tf.layers.Layer behind every layer class that TensorFlow.js lacks: weights and arithmetic come from its definition.
import type * as tf from '@tensorflow/tfjs';
import { type Tfjs, tfjs } from '../tfjs.ts';
import { LAYER_DEFINITIONS } from './definitions.ts';
import type { LayerDefinition, LayerSettings, Shape } from './layer-definition.ts';

/** Fields of a layer's saved config. */
interface KerasLayerConfig {
  readonly name?: string;
  readonly trainable?: boolean;
  /** The settings as `encodeSettings` writes them. */
  readonly keras: string;
}

type KerasLayerConstructor = new (config: KerasLayerConfig) => tf.layers.Layer;
let created: KerasLayerConstructor | undefined;

/** A layer of any class that definitions.ts names. */
export function createKerasLayer(name: string, trainable: boolean, settings: LayerSettings): tf.layers.Layer {
  created ??= createClass(tfjs());
  return new created({ name, trainable, keras: encodeSettings(settings) });
}

function createClass(runtime: Tfjs): KerasLayerConstructor {
  class KerasLayer extends runtime.layers.Layer {
    static readonly className = 'KerasLayer';
    private readonly settings: LayerSettings;
    private readonly definition: LayerDefinition;
    private variables: tf.LayerVariable[] = [];

    constructor(config: KerasLayerConfig) {
      super({ name: config.name, trainable: config.trainable });
      this.settings = decodeSettings(config.keras);
      const definition = LAYER_DEFINITIONS[this.settings.className];
      if (definition === undefined)
        throw new Error(`Expected a known class of layer but received '${this.settings.className}'`);
      this.definition = definition;
    }

    override getClassName(): string {
      return this.settings.className;
    }

    override build(inputShape: tf.Shape | tf.Shape[]): void {
      const { weightNames, weightShapes, frozen = [] } = this.definition;
      const names = weightNames?.(this.settings) ?? [];
      const shapes = weightShapes?.(this.settings, shapesOf(inputShape)) ?? [];
      const zeros = runtime.initializers.zeros();
      this.variables = names.map((name, index) =>
        this.addWeight(name, [...(shapes[index] ?? [])], 'float32', zeros, undefined, !frozen.includes(name)),
      );
      this.built = true;
    }

    override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape | tf.Shape[] {
      const shapes = this.definition.outputShapes(this.settings, shapesOf(inputShape)).map(shape => [...shape]);
      const [only] = shapes;
      return shapes.length === 1 && only !== undefined ? only : shapes;
    }

    override call(
      inputs: tf.Tensor | tf.Tensor[],
      kwargs: { training?: boolean } | undefined,
    ): tf.Tensor | tf.Tensor[] {
      return runtime.tidy(() => {
        const result = this.definition.call({
          tf: runtime,
          settings: this.settings,
          inputs: Array.isArray(inputs) ? inputs : [inputs],
          weights: this.variables.map(variable => variable.read()),
          training: kwargs?.training === true,
          assign: (weight, value) => this.variables[weight]?.write(value),
        });
        return Array.isArray(result) ? [...result] : (result as tf.Tensor);
      });
    }

    override getConfig(): tf.serialization.ConfigDict {
      return { ...super.getConfig(), keras: encodeSettings(this.settings) };
    }
  }
  registerUnderKerasNames(runtime, KerasLayer);
  return KerasLayer;
}

/**
 * Makes models with such layers loadable after saving. Where TensorFlow.js has a class of the same name, only configs
 * that a KerasLayer wrote come here.
 */
function registerUnderKerasNames(runtime: Tfjs, layer: KerasLayerConstructor & { readonly className: string }): void {
  const { classNameMap } = runtime.serialization.SerializationMap.getMap();
  type Entry = (typeof classNameMap)[string];
  for (const className of Object.keys(LAYER_DEFINITIONS)) {
    const own = classNameMap[className];
    const fromConfig = (layerClass: unknown, config: tf.serialization.ConfigDict): tf.serialization.Serializable => {
      if (typeof config.keras === 'string' || own === undefined)
        return new layer(config as unknown as KerasLayerConfig);
      return own[1](layerClass as Entry[0], config);
    };
    classNameMap[className] = [own?.[0] ?? (layer as unknown as Entry[0]), fromConfig as unknown as Entry[1]];
  }
}

/** TensorFlow.js turns capitals and underscores into each other in all names and texts of a config; hexadecimal has neither. */
function encodeSettings(settings: LayerSettings): string {
  return Buffer.from(JSON.stringify(settings)).toString('hex');
}

function decodeSettings(text: string): LayerSettings {
  return JSON.parse(Buffer.from(text, 'hex').toString()) as LayerSettings;
}

function shapesOf(inputShape: tf.Shape | tf.Shape[]): readonly Shape[] {
  return Array.isArray(inputShape[0]) ? (inputShape as tf.Shape[]) : [inputShape as tf.Shape];
}
