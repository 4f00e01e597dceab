// Backgrounds of the demo images, as raw RGB: they carry no class, so that a model must look at the shape.
import type { Random } from './random.ts';

/** Red, green and blue, 0–255. */
export type Color = readonly [number, number, number];

export interface Background {
  readonly width: number;
  readonly height: number;
  /** Row-major, three bytes a pixel. */
  readonly pixels: Uint8Array;
  /** The two colours it is made of: a shape must stand out against both. */
  readonly colors: readonly [Color, Color];
}

/** How much of the second colour a pixel has, 0 … 1. */
type Pattern = (x: number, y: number) => number;

export function paintBackground(width: number, height: number, random: Random): Background {
  const first = randomColor(random);
  const second = blend(first, randomColor(random), random.between(0.2, 0.6));
  const pattern = random.pick([plain, gradient, noise, stripes])(width, height, random);
  const pixels = new Uint8Array(width * height * 3);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const share = pattern(x, y);
      for (const [channel, value] of first.entries()) {
        pixels[at++] = Math.round(value + ((second[channel] ?? 0) - value) * share);
      }
    }
  }
  return { width, height, pixels, colors: [first, second] };
}

export function randomColor(random: Random): Color {
  return [random.integer(0, 255), random.integer(0, 255), random.integer(0, 255)];
}

function blend(from: Color, to: Color, share: number): Color {
  const mix = (a: number, b: number): number => Math.round(a + (b - a) * share);
  return [mix(from[0], to[0]), mix(from[1], to[1]), mix(from[2], to[2])];
}

function plain(): Pattern {
  return () => 0;
}

function gradient(width: number, height: number, random: Random): Pattern {
  const angle = random.between(0, 2 * Math.PI);
  const across = Math.cos(angle) / width;
  const down = Math.sin(angle) / height;
  return (x, y) => Math.min(1, Math.max(0, 0.5 + (x - width / 2) * across + (y - height / 2) * down));
}

function noise(_width: number, _height: number, random: Random): Pattern {
  return () => random.between(0, 1);
}

function stripes(_width: number, _height: number, random: Random): Pattern {
  const angle = random.between(0, Math.PI);
  const period = random.between(16, 60);
  const across = Math.cos(angle) / period;
  const down = Math.sin(angle) / period;
  return (x, y) => {
    const phase = x * across + y * down;
    return phase - Math.floor(phase) < 0.5 ? 0 : 1;
  };
}
