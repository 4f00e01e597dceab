// What a worker noticed about features that no error shows: codes for receipts, and what each most likely means.

export const WARNING_CODES = ['not-finite', 'constant-layer', 'equal-features', 'float16-overflow'] as const;
export type WarningCode = (typeof WARNING_CODES)[number];

/** Feature vectors concerned (one image in one column), by code. */
export type WarningCounts = Readonly<Partial<Record<WarningCode, number>>>;

interface Explanation {
  readonly what: string;
  /** Likely cause and what to do, one sentence. */
  readonly advice: string;
}

const EXPLANATIONS: Readonly<Record<WarningCode, Explanation>> = {
  'not-finite': {
    what: 'values that are NaN or infinite',
    advice:
      'Usually the input is scaled wrongly or the weights are damaged: compare --scale, --mean and --std with how the model was trained.',
  },
  'constant-layer': {
    what: 'the same value throughout, for every image',
    advice:
      'The layer says nothing about the images: it is dead, or the input is scaled wrongly, for instance divided by 255 twice.',
  },
  'equal-features': {
    what: 'the same features for images that differ',
    advice:
      'The layer does not see the image: check --scale, --mean and --std, and that the weights are not those of a fresh model.',
  },
  'float16-overflow': {
    what: 'values beyond 65504, which float16 stores as infinity',
    advice: 'Take --dtype float32, or --normalize l2.',
  },
};

/** One line without the count, for a log and a report. */
export function explainWarning(code: WarningCode): string {
  const { what, advice } = EXPLANATIONS[code];
  return `${what}. ${advice}`;
}
