// Compares the features of a finished run with a reference, image by image: for `layertap certify`.
import { compareFeatures, type FeatureDistance, largestValue } from '../../../extractor/src/feature-distance.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { openManifestReader } from '../../../shared/src/manifest-reader.ts';
import { readPartFile } from '../../../shared/src/part-reader.ts';
import { isOk } from '../../../shared/src/row-schema.ts';
import { type RunRecord, readReceipts, shardRange } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { decodeTensor, sizeOfShape } from '../../../shared/src/tensor.ts';
import type { Reference } from './reference.ts';

export interface ImageComparison extends FeatureDistance {
  readonly sampleId: string;
}

export interface Comparison {
  readonly images: readonly ImageComparison[];
  /** Images without a comparison, and why. */
  readonly missing: readonly { readonly sampleId: string; readonly reason: string }[];
  /** Largest absolute value of the reference over the compared images. */
  readonly scale: number;
}

/** One part is in memory at a time. */
export async function compareRun(storage: Storage, run: RunRecord, reference: Reference): Promise<Comparison> {
  const column = onlyColumn(run, reference);
  const images: ImageComparison[] = [];
  const missing: { sampleId: string; reason: string }[] = [];
  let scale = 0;
  const manifest = openManifestReader(storage, run.runId);
  for await (const receipt of readReceipts(storage, run)) {
    const [file] = receipt.files;
    if (file === undefined) throw new Error(`Expected a part in the receipt of shard ${receipt.shard}`);
    const range = shardRange(run, receipt.shard);
    const samples = manifest.read(range.first, range.rows);
    let row = range.first;
    for await (const batch of readPartFile(storage.root, file)) {
      const field = batch.schema.fields.find(({ name }) => name === column);
      const vector = batch.getChild(column);
      if (field === undefined || vector === null) throw new Error(`Expected a column '${column}' in ${file.path}`);
      const { data } = decodeTensor(field, vector);
      const size = data.length / batch.numRows;
      for (let index = 0; index < batch.numRows; index++, row++) {
        const next = await samples.next();
        if (next.done === true) throw new Error(`Expected row ${row} in the manifest`);
        const { sampleId } = next.value;
        const wanted = reference.featuresOf(next.value, row);
        if (!isOk(batch, index)) {
          missing.push({ sampleId, reason: String(batch.getChild('error_message')?.get(index) ?? 'no features') });
        } else if (wanted === undefined) {
          missing.push({ sampleId, reason: 'the reference has no row for it' });
        } else {
          scale = Math.max(scale, largestValue(wanted));
          images.push({ sampleId, ...compareFeatures(data.subarray(index * size, (index + 1) * size), wanted) });
        }
      }
    }
  }
  return { images, missing, scale };
}

function onlyColumn(run: RunRecord, reference: Reference): string {
  const [column, ...others] = run.columns;
  if (column === undefined || others.length > 0) {
    throw new Refusal('bad-option', `Expected one column of features but these options give ${run.columns.length}`, {
      hint: 'Certify one layer, with one pooling, at a time.',
    });
  }
  const size = sizeOfShape(column.shape);
  if (size !== reference.size) {
    throw new Refusal(
      'bad-option',
      `Expected ${size} numbers a row, layer '${column.name}' of shape [${column.shape.join(', ')}], but the reference has ${reference.size}`,
      { hint: 'Compare the same layer, with the same --pool, on both sides.' },
    );
  }
  if (reference.aligned && reference.rows !== run.manifest.rows) {
    throw new Refusal(
      'bad-option',
      `Expected one image per row of the reference (${reference.rows}) but received ${run.manifest.rows} images`,
      { hint: 'Give --images as a list in the order of the rows, or a Parquet reference with a path column.' },
    );
  }
  return column.name;
}
