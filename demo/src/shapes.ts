// The ten classes of the demo images: outlines that differ by shape alone. Drawn by images.ts, learnt by train.ts.

/** Class name to an SVG path in the box −50 … 50; holes by the even-odd rule. In alphabetical order, as class folders are. */
const OUTLINES = {
  arrow: 'M-50,-16 H4 V-44 L50,0 L4,44 V16 H-50 Z',
  bolt: 'M14,-50 L-34,10 H-4 L-16,50 L34,-12 H4 Z',
  circle: 'M-46,0 A46,46 0 1 1 46,0 A46,46 0 1 1 -46,0 Z',
  crescent: 'M14,-48 A48,48 0 1 0 14,48 A52,52 0 0 1 14,-48 Z',
  cross: 'M-16,-48 H16 V-16 H48 V16 H16 V48 H-16 V16 H-48 V-16 H-16 Z',
  heart: 'M0,46 C-34,18 -50,2 -50,-18 C-50,-46 -12,-50 0,-22 C12,-50 50,-46 50,-18 C50,2 34,18 0,46 Z',
  ring: 'M-48,0 A48,48 0 1 1 48,0 A48,48 0 1 1 -48,0 Z M-26,0 A26,26 0 1 1 26,0 A26,26 0 1 1 -26,0 Z',
  square: 'M-42,-42 H42 V42 H-42 Z',
  star: starPath(5, 50, 20),
  triangle: 'M0,-48 L50,42 H-50 Z',
} as const;

export type ShapeName = keyof typeof OUTLINES;

export const SHAPE_NAMES: readonly ShapeName[] = Object.keys(OUTLINES) as ShapeName[];

export interface Placement {
  /** Size of the whole image in pixels. */
  readonly width: number;
  readonly height: number;
  /** Centre of the shape in pixels. */
  readonly x: number;
  readonly y: number;
  /** Side of the shape's box in pixels. */
  readonly side: number;
  /** Clockwise. */
  readonly degrees: number;
  /** Red, green and blue, 0–255. */
  readonly color: readonly number[];
}

/** One shape on a transparent ground, as an SVG document. */
export function drawShape(shape: ShapeName, place: Placement): string {
  const move = `translate(${place.x.toFixed(2)} ${place.y.toFixed(2)})`;
  const turn = `rotate(${place.degrees.toFixed(2)}) scale(${(place.side / 100).toFixed(4)})`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${place.width}" height="${place.height}">` +
    `<path d="${OUTLINES[shape]}" fill="rgb(${place.color.join(',')})" fill-rule="evenodd" transform="${move} ${turn}"/></svg>`
  );
}

function starPath(points: number, outer: number, inner: number): string {
  const corners = Array.from({ length: points * 2 }, (_, corner) => {
    const radius = corner % 2 === 0 ? outer : inner;
    const angle = (Math.PI * corner) / points - Math.PI / 2;
    return `${(radius * Math.cos(angle)).toFixed(2)},${(radius * Math.sin(angle)).toFixed(2)}`;
  });
  return `M${corners.join(' L')} Z`;
}
