// Recipes by name: the one table of what `--recipe NAME` can be. Values as the named libraries publish them.
import { nearestNames, Refusal } from './errors.ts';
import type { RecipeInput } from './recipe.ts';

/** A recipe but for its size, which is the model's own where the model fixes it. */
export interface RecipePreset {
  readonly fields: Omit<RecipeInput, 'width' | 'height'>;
  /** Both sides in pixels. */
  readonly size: number;
  /** The size is a part of the preset, as its crop is: a model of another fixed size is refused. */
  readonly isSizeFixed: boolean;
  /** The architecture scales its input by itself, unless it was built without its own preprocessing. */
  readonly isInGraph: boolean;
}

const SCALE_255 = 1 / 255;
const IMAGENET_MEAN = [0.485, 0.456, 0.406];
const IMAGENET_STD = [0.229, 0.224, 0.225];

/** Modes of keras.applications.imagenet_utils.preprocess_input; `graph` for those whose preprocess_input does nothing. */
const KERAS_MODES = {
  caffe: { channels: 'bgr', scale: 1, mean: [103.939, 116.779, 123.68] },
  tf: { scale: 1 / 127.5, mean: [1] },
  torch: { scale: SCALE_255, mean: IMAGENET_MEAN, std: IMAGENET_STD },
  graph: { scale: 1 },
} as const satisfies Record<string, Omit<RecipeInput, 'width' | 'height'>>;

/** Mode, default size, names: every architecture of keras.applications, in Keras 3 and Keras 2, in lower case. */
const KERAS_ARCHITECTURES: readonly (readonly [keyof typeof KERAS_MODES, number, readonly string[]])[] = [
  ['caffe', 224, ['vgg16', 'vgg19', 'resnet50', 'resnet101', 'resnet152']],
  ['tf', 224, ['mobilenet', 'mobilenetv2', 'resnet50v2', 'resnet101v2', 'resnet152v2', 'nasnetmobile']],
  ['tf', 299, ['inceptionv3', 'inceptionresnetv2', 'xception']],
  ['tf', 331, ['nasnetlarge']],
  ['torch', 224, ['densenet121', 'densenet169', 'densenet201']],
  ['graph', 224, ['mobilenetv3small', 'mobilenetv3large', 'efficientnetb0', 'efficientnetv2b0']],
  ['graph', 224, ['convnexttiny', 'convnextsmall', 'convnextbase', 'convnextlarge', 'convnextxlarge']],
  ['graph', 224, kerasNames('regnetx', '002 004 006 008 016 032 040 064 080 120 160 320')],
  ['graph', 224, kerasNames('regnety', '002 004 006 008 016 032 040 064 080 120 160 320')],
  ['graph', 224, kerasNames('resnetrs', '50 101 152 200 270 350 420')],
  ['graph', 240, ['efficientnetb1', 'efficientnetv2b1']],
  ['graph', 260, ['efficientnetb2', 'efficientnetv2b2']],
  ['graph', 300, ['efficientnetb3', 'efficientnetv2b3']],
  ['graph', 380, ['efficientnetb4']],
  ['graph', 384, ['efficientnetv2s']],
  ['graph', 456, ['efficientnetb5']],
  ['graph', 480, ['efficientnetv2m', 'efficientnetv2l']],
  ['graph', 528, ['efficientnetb6']],
  ['graph', 600, ['efficientnetb7']],
];

function kerasNames(family: string, sizes: string): readonly string[] {
  return sizes.split(' ').map(size => `${family}${size}`);
}

/** How the image came into Keras: `load_img` resizes with nearest, `image_dataset_from_directory` without antialias. */
const KERAS_LOADERS = { '': 'pillow:bilinear', '@load_img': 'pillow:nearest', '@dataset': 'tf:bilinear' } as const;

function kerasPresets(): readonly (readonly [string, RecipePreset])[] {
  return KERAS_ARCHITECTURES.flatMap(([mode, size, names]) =>
    names.flatMap(name =>
      Object.entries(KERAS_LOADERS).map(([loader, resize]): readonly [string, RecipePreset] => [
        `keras:${name}${loader}`,
        { fields: { ...KERAS_MODES[mode], resize }, size, isSizeFixed: false, isInGraph: mode === 'graph' },
      ]),
    ),
  );
}

/** Shorter side to `shorterSide`, then the middle `size` × `size`. */
function cropped(
  size: number,
  shorterSide: number,
  fields: Pick<RecipeInput, 'resize' | 'mean' | 'std'>,
  rounding: 'half-even' | 'floor' = 'half-even',
): RecipePreset {
  const crop = { kind: 'center', shorterSide, rounding } as const;
  return { fields: { ...fields, crop, scale: SCALE_255 }, size, isSizeFixed: true, isInGraph: false };
}

/** torchvision.transforms._presets.ImageClassification. */
const TORCHVISION = { resize: 'pillow:bilinear', mean: IMAGENET_MEAN, std: IMAGENET_STD };

/** OpenAI's `_transform` of clip.py; its CenterCrop is torchvision's. */
const CLIP = {
  resize: 'pillow:bicubic',
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

export const RECIPE_PRESETS: ReadonlyMap<string, RecipePreset> = new Map([
  ...kerasPresets(),
  ['torchvision', cropped(224, 256, TORCHVISION)],
  ['torchvision:imagenet1k_v1', cropped(224, 256, TORCHVISION)],
  ['torchvision:imagenet1k_v2', cropped(224, 232, TORCHVISION)],
  ['torchvision:inception_v3', cropped(299, 342, TORCHVISION)],
  ['clip', cropped(224, 224, CLIP)],
  ['clip:336', cropped(336, 336, CLIP)],
]);

/**
 * A preset by its name; `keras:MobileNetV2` and `keras:mobilenet_v2` are `keras:mobilenetv2`.
 * @throws Refusal `bad-option` with the nearest names
 */
export function findPreset(name: string): { readonly name: string; readonly preset: RecipePreset } {
  const known = plainName(name);
  const preset = RECIPE_PRESETS.get(known);
  if (preset !== undefined) return { name: known, preset };
  throw new Refusal('bad-option', `Expected a recipe preset or the path of a .json file but received '${name}'`, {
    hint: `Did you mean ${nearestNames(known, [...RECIPE_PRESETS.keys()]).join(', ')}? docs/recipes.md lists all presets.`,
  });
}

/** The class names of Keras differ in case, dashes and underscores from the names of its modules and models. */
function plainName(name: string): string {
  const lower = name.toLowerCase();
  if (!lower.startsWith('keras:')) return lower;
  const [architecture = '', loader] = lower.split('@');
  return `${architecture.replace(/[-_\s]/g, '')}${loader === undefined ? '' : `@${loader}`}`;
}
