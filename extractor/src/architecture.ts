// Which architecture of keras.applications a model is, by the names of its layers: a hint for a recipe, never proof of one.
import type { LayerTable } from './layer-table.ts';

export interface Architecture {
  /** Class name in keras.applications, in lower case: `resnet50`, a preset as `keras:resnet50`. */
  readonly name: string;
  /** Number of values of the model's only output; undefined for several outputs or a map. */
  readonly classes: number | undefined;
}

/** Layers that the architecture has, and those of its larger sisters that it lacks. */
interface Landmarks {
  readonly has: readonly string[];
  readonly lacks?: readonly string[];
}

/**
 * Layer names of Keras 3; a `/` in those of Keras 2 reads as `_`. EfficientNet, RegNet and ResNet-RS are not here: they
 * scale their input by a Rescaling layer, which says more than a name.
 */
const LANDMARKS: Readonly<Record<string, Landmarks>> = {
  vgg16: { has: ['block1_conv1', 'block5_conv3'], lacks: ['block5_conv4'] },
  vgg19: { has: ['block1_conv1', 'block5_conv4'] },
  resnet50: { has: ['conv1_bn', 'conv2_block1_0_bn', 'conv4_block6_out'], lacks: ['conv4_block7_out'] },
  resnet101: { has: ['conv1_bn', 'conv2_block1_0_bn', 'conv4_block23_out'], lacks: ['conv4_block24_out'] },
  resnet152: { has: ['conv1_bn', 'conv2_block1_0_bn', 'conv4_block36_out'] },
  resnet50v2: { has: ['post_bn', 'conv4_block6_out'], lacks: ['conv4_block7_out'] },
  resnet101v2: { has: ['post_bn', 'conv4_block23_out'], lacks: ['conv4_block24_out'] },
  resnet152v2: { has: ['post_bn', 'conv4_block36_out'] },
  inceptionv3: { has: ['mixed0', 'mixed9_0', 'mixed10'] },
  inceptionresnetv2: { has: ['mixed_5b', 'block35_1_mixed', 'conv_7b'] },
  xception: { has: ['block1_conv1', 'block14_sepconv2'] },
  mobilenet: { has: ['conv1', 'conv_dw_13', 'conv_pw_13'] },
  mobilenetv2: { has: ['expanded_conv_depthwise', 'block_16_project'] },
  mobilenetv3small: {
    has: ['expanded_conv_depthwise', 'expanded_conv_10_project'],
    lacks: ['expanded_conv_11_project'],
  },
  mobilenetv3large: { has: ['expanded_conv_depthwise', 'expanded_conv_14_project'] },
  densenet121: { has: ['pool4_bn', 'conv4_block24_concat'], lacks: ['conv4_block25_concat'] },
  densenet169: { has: ['pool4_bn', 'conv4_block32_concat'], lacks: ['conv4_block33_concat'] },
  densenet201: { has: ['pool4_bn', 'conv4_block48_concat'] },
  nasnetmobile: { has: ['normal_conv_1_0', 'normal_concat_12'], lacks: ['normal_concat_13'] },
  nasnetlarge: { has: ['normal_conv_1_0', 'normal_concat_18'] },
  convnexttiny: { has: ['convnext_tiny_stage_3_block_2_layer_scale'] },
  convnextsmall: { has: ['convnext_small_stage_3_block_2_layer_scale'] },
  convnextbase: { has: ['convnext_base_stage_3_block_2_layer_scale'] },
  convnextlarge: { has: ['convnext_large_stage_3_block_2_layer_scale'] },
  convnextxlarge: { has: ['convnext_xlarge_stage_3_block_2_layer_scale'] },
};

/** Undefined for a model of another kind, or one whose layers have been renamed. */
export function recogniseArchitecture(table: LayerTable): Architecture | undefined {
  const names = new Set(table.layers.flatMap(({ name }) => endingsOf(name)));
  const found = Object.entries(LANDMARKS).find(
    ([, { has, lacks = [] }]) => has.every(name => names.has(name)) && !lacks.some(name => names.has(name)),
  );
  if (found === undefined) return undefined;
  return { name: found[0], classes: classesOf(table) };
}

/** A nested backbone's layers stand under its path, and Keras 2 uses `/` inside a name: each ending may be the name. */
function endingsOf(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.map((_, from) => parts.slice(from).join('_'));
}

function classesOf({ layers, outputs }: LayerTable): number | undefined {
  const [output, ...others] = outputs;
  const shape = layers.find(({ name }) => name === output)?.outputShape;
  const [classes] = shape ?? [];
  return others.length === 0 && shape?.length === 1 ? (classes ?? undefined) : undefined;
}
