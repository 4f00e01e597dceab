// Pillow's own integer formulas between colour modes, for decode.ts and prepare-image.ts.

/** RGB pixels of Pillow's "L": ITU-R 601-2 luma in 16-bit fixed point. */
export function rgbToGray(rgb: Uint8Array): Uint8Array {
  const gray = new Uint8Array(rgb.length / 3);
  for (let i = 0, from = 0; i < gray.length; i++, from += 3) {
    const r = rgb[from] as number;
    const g = rgb[from + 1] as number;
    const b = rgb[from + 2] as number;
    gray[i] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
  }
  return gray;
}

/** Ink pixels (0 is none), `stride` bytes each, without a colour profile: white less black, less each ink's share of that. */
export function cmykToRgb(cmyk: Uint8Array, stride: number): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / stride) * 3);
  for (let from = 0, to = 0; to < rgb.length; from += stride, to += 3) {
    const light = 255 - (cmyk[from + 3] as number);
    rgb[to] = light - shareOf(cmyk[from] as number, light);
    rgb[to + 1] = light - shareOf(cmyk[from + 1] as number, light);
    rgb[to + 2] = light - shareOf(cmyk[from + 2] as number, light);
  }
  return rgb;
}

/** a × b ÷ 255, rounded, without a division. */
function shareOf(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/** 16-bit grey as Pillow's "I;16" converts: cut off at 255, not scaled down. Native-endian bytes in, one byte each out. */
export function clipWide(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint8Array.from({ length: bytes.length / 2 }, (_, i) => Math.min(255, view.getUint16(i * 2, true)));
}
