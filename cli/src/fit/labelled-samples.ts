// What `layertap fit` trains on: the labelled samples of a source, and the few whose features are written.
import type { Source } from '../../../services/producer/src/source.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import type { Sample } from '../../../shared/src/manifest.ts';

export interface LabelledSample {
  readonly sample: Sample;
  /** Position of its label in `classes`. */
  readonly target: number;
}

export interface LabelledSamples {
  /** In the source's order. Paths and labels alone: about 300 bytes a sample. */
  readonly samples: readonly LabelledSample[];
  /** Sorted, as Keras' and TensorFlow.js' readers of class folders number them. */
  readonly classes: readonly string[];
  /** Samples that have no label and teach nothing. */
  readonly unlabelled: number;
}

export async function collectLabelled(source: Source, location: string): Promise<LabelledSamples> {
  const column = source.carried.findIndex(({ name }) => name === 'label');
  if (column === -1) {
    throw new Refusal('source-unreadable', `Expected labels in \`source\` but "${location}" has none`, {
      hint: 'Give a folder with one folder per class, or a list with a column named label.',
    });
  }
  const labels: string[] = [];
  const samples: Sample[] = [];
  let unlabelled = 0;
  for await (const sample of source.samples()) {
    const label = sample.carried[column] ?? null;
    if (label === null || label === '') unlabelled++;
    else {
      samples.push(sample);
      labels.push(String(label));
    }
  }
  const classes = [...new Set(labels)].sort();
  const targets = new Map(classes.map((name, target) => [name, target]));
  return {
    samples: samples.map((sample, row) => ({ sample, target: targets.get(labels[row] ?? '') ?? 0 })),
    classes,
    unlabelled,
  };
}

/** `count` samples at even distances, so that every class of a sorted folder has its share. */
export function pickProbe(samples: readonly LabelledSample[], count: number): readonly Sample[] {
  const wanted = Math.min(count, samples.length);
  return Array.from({ length: wanted }, (_, index) => samples[Math.floor((index * samples.length) / wanted)]).flatMap(
    picked => picked?.sample ?? [],
  );
}
