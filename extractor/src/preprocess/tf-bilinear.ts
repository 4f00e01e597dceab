// tf.image.resize(method='bilinear') without antialias, the resize of Keras' data sets: four inputs a value, for tf-resize.ts.
import type { Axis } from './axis.ts';
import type { FloatPixels, Pixels } from './pixels.ts';

const f = Math.fround;

/** Where each wanted position falls between two inputs. */
interface Between {
  readonly lower: Int32Array;
  readonly upper: Int32Array;
  /** Share of the upper one. */
  readonly share: Float32Array;
}

/** Two lines across, then one down between them, each difference and product rounded to float32: bit for bit. */
export function resizeTfBilinear(image: Pixels, across: Axis, down: Axis): FloatPixels {
  const { width, channels, data } = image;
  const columns = between(across, channels);
  const rows = between(down, width * channels);
  const out = new Float32Array(across.count * down.count * channels);
  let to = 0;
  for (let y = 0; y < down.count; y++) {
    const top = rows.lower[y] as number;
    const bottom = rows.upper[y] as number;
    const downShare = rows.share[y] as number;
    for (let x = 0; x < across.count; x++) {
      const left = columns.lower[x] as number;
      const right = columns.upper[x] as number;
      const acrossShare = columns.share[x] as number;
      for (let c = 0; c < channels; c++) {
        const upper = mix(data[top + left + c] as number, data[top + right + c] as number, acrossShare);
        const lower = mix(data[bottom + left + c] as number, data[bottom + right + c] as number, acrossShare);
        out[to++] = mix(upper, lower, downShare);
      }
    }
  }
  return { data: out, width: across.count, height: down.count, channels };
}

function mix(a: number, b: number, share: number): number {
  return f(a + f(f(b - a) * share));
}

/** Positions in elements of the array, `step` apart. */
function between({ inSize, outSize, from, count }: Axis, step: number): Between {
  const scale = f(inSize / f(outSize));
  const lower = new Int32Array(count);
  const upper = new Int32Array(count);
  const share = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const position = f(f(f(from + i + 0.5) * scale) - 0.5);
    const floor = Math.floor(position);
    const high = Math.min(Math.ceil(position), inSize - 1);
    lower[i] = Math.min(Math.max(floor, 0), high) * step;
    upper[i] = high * step;
    share[i] = position - floor;
  }
  return { lower, upper, share };
}
