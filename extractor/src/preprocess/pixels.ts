// The decoded image as it goes from step to step of the preprocessing.

/** 8-bit pixels [height, width, channels], row-major. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}
