// Notices that an engine process makes no progress: an image that never ends in native code. For engine-client.ts.

export interface StallWatch {
  /** The first batch begins, of so many images: progress is due. */
  begin(batch: number): void;
  /** There was progress: the time begins anew, where it runs. */
  goOn(): void;
  /** Nothing is due until the next `begin`. */
  end(): void;
}

/** A larger batch gets as many times the time as it has 32 images. */
const IMAGES_IN_TIME = 32;
/** The longest that a timer of Node.js takes. */
const LONGEST_MS = 2 ** 31 - 1;

export function createStallWatch(stallMs: number, onStall: (stall: { readonly seconds: number }) => void): StallWatch {
  let timer: NodeJS.Timeout | undefined;

  function end(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  return {
    begin(batch): void {
      end();
      const limitMs = Math.min(LONGEST_MS, stallMs * Math.max(1, batch / IMAGES_IN_TIME));
      timer = setTimeout(() => onStall({ seconds: Math.round(limitMs / 1000) }), limitMs);
    },
    goOn: () => void timer?.refresh(),
    end,
  };
}
