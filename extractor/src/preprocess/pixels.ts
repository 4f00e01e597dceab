// The decoded image as it goes from step to step of the preprocessing.

/** 8-bit pixels [height, width, channels], row-major. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** The same levels of 0–255 (a little beyond them after a kernel with negative lobes), not rounded to 8 bits. */
export interface FloatPixels {
  readonly data: Float32Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** 8-bit pixels as they lie in a file; 2 and 4 channels are grey and colour with alpha, not premultiplied. */
export interface DecodedPixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 2 | 3 | 4;
}
