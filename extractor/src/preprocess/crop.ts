// Where the model's input lies in an image of a given size, by the recipe's crop policy: for resize.ts and fast decoding.
import type { Recipe } from '../../../shared/src/recipe.ts';
import type { Axis } from './axis.ts';
import type { Box } from './cut.ts';

export interface Placement {
  /** The part of the image that is resized. */
  readonly source: Box;
  /** The size to which it is resized. */
  readonly resized: { readonly width: number; readonly height: number };
  /** Where the input's corner stands in the resized image: negative where it reaches beyond it. */
  readonly left: number;
  readonly top: number;
}

export function placeInput(width: number, height: number, recipe: Recipe): Placement {
  const { crop, resize } = recipe;
  const whole = { left: 0, top: 0, width, height };
  switch (crop.kind) {
    case 'none':
      return { source: whole, resized: { width: recipe.width, height: recipe.height }, left: 0, top: 0 };
    case 'center': {
      const resized = shorterSideTo(crop.shorterSide, width, height);
      const cutAt = crop.rounding === 'floor' ? floorHalf : torchvisionHalf;
      const left = cutAt(resized.width - recipe.width);
      return { source: whole, resized, left, top: cutAt(resized.height - recipe.height) };
    }
    case 'aspect': {
      const divide = resize.startsWith('tf:') ? divideInFloat32 : divideWhole;
      const source = middleOfAspect(width, height, recipe, divide);
      return { source, resized: { width: recipe.width, height: recipe.height }, left: 0, top: 0 };
    }
  }
}

/** The longer side is cut down to whole pixels, as torchvision's Resize(int) and Hugging Face's image processors do. */
function shorterSideTo(side: number, width: number, height: number): Placement['resized'] {
  return width <= height
    ? { width: side, height: Math.trunc((side * height) / width) }
    : { width: Math.trunc((side * width) / height), height: side };
}

/** Hugging Face's center_crop: cut or padded, the odd pixel goes to the far side of a cut and the near side of a pad. */
function floorHalf(spare: number): number {
  return Math.floor(spare / 2);
}

/** torchvision's CenterCrop: Python's round (half to even) where it cuts, half cut down where it pads. */
function torchvisionHalf(spare: number): number {
  if (spare < 0) return -Math.floor(-spare / 2);
  const half = spare / 2;
  return Number.isInteger(half) ? half : 2 * Math.round(half / 2);
}

/**
 * Keras' crop: load_img(keep_aspect_ratio=True) divides whole numbers, smart_resize (crop_to_aspect_ratio=True in
 * image_dataset_from_directory and in Resizing) divides as float32, which for large images may give a pixel more.
 */
function middleOfAspect(width: number, height: number, to: Recipe, divide: typeof divideWhole): Box {
  const boxHeight = Math.max(1, Math.min(height, divide(width * to.height, to.width)));
  const boxWidth = Math.max(1, Math.min(width, divide(height * to.width, to.height)));
  const top = Math.floor((height - boxHeight) / 2);
  return { left: Math.floor((width - boxWidth) / 2), top, width: boxWidth, height: boxHeight };
}

function divideWhole(dividend: number, divisor: number): number {
  return Math.floor(dividend / divisor);
}

function divideInFloat32(dividend: number, divisor: number): number {
  return Math.trunc(Math.fround(Math.fround(dividend) / divisor));
}

/** The two axes of a resize, and the box of the input that it fills: the rest is padding. */
export interface ResizePlan {
  readonly across: Axis;
  readonly down: Axis;
  readonly filled: Box;
}

export function planResize(width: number, height: number, placement: Placement, recipe: Recipe): ResizePlan {
  const { source, resized, left, top } = placement;
  const across = axisOf(width, source.left, source.width, resized.width, left, recipe.width);
  const down = axisOf(height, source.top, source.height, resized.height, top, recipe.height);
  const filled = { left: Math.max(0, -left), top: Math.max(0, -top), width: recipe.width, height: recipe.height };
  return { across, down, filled };
}

function axisOf(
  inSize: number,
  boxFrom: number,
  boxSize: number,
  outSize: number,
  offset: number,
  wanted: number,
): Axis {
  const from = Math.max(0, offset);
  return { inSize, boxFrom, boxSize, outSize, from, count: Math.min(outSize, offset + wanted) - from };
}
