// What is compared: image sets, models and layers. For main.ts.

export const ARCHITECTURES = ['MobileNetV2', 'ResNet50'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

export const IMAGE_SETS = ['photos', 'large'] as const;
export type ImageSetName = (typeof IMAGE_SETS)[number];

export interface Cell {
  readonly key: string;
  readonly title: string;
  readonly images: ImageSetName;
  readonly architecture: Architecture;
  readonly pool: 'mean' | 'none';
  /** By keras.applications' names, and by torchvision's. */
  readonly layer: string;
  readonly torchLayer: string;
}

export const CELLS: readonly Cell[] = [
  {
    ...{ key: 'photos-mobilenet', title: 'photos of 500 × 400, MobileNetV2, mean of its last layer' },
    ...{ images: 'photos', architecture: 'MobileNetV2', pool: 'mean', layer: 'out_relu', torchLayer: 'features.18' },
  },
  {
    ...{ key: 'photos-resnet', title: 'photos of 500 × 400, ResNet50, mean of its last layer' },
    ...{ images: 'photos', architecture: 'ResNet50', pool: 'mean', layer: 'conv5_block3_out', torchLayer: 'layer4' },
  },
  {
    ...{
      key: 'photos-inner',
      title: 'photos of 500 × 400, MobileNetV2, block_12_add (14 × 14 × 96) as it is, uncompressed',
    },
    ...{
      images: 'photos',
      architecture: 'MobileNetV2',
      pool: 'none',
      layer: 'block_12_add',
      torchLayer: 'features.13',
    },
  },
  {
    ...{ key: 'large-mobilenet', title: 'photos of 12 megapixels, MobileNetV2, mean of its last layer' },
    ...{ images: 'large', architecture: 'MobileNetV2', pool: 'mean', layer: 'out_relu', torchLayer: 'features.18' },
  },
];
