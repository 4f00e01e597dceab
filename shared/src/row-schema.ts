// The schema of a part: one row per sample, then one column per layer. What readers of the output rely on.
import { Field, Int32, type RecordBatch, Schema, Utf8 } from 'apache-arrow';
import { carriedField } from './manifest.ts';
import { type ExtractRequest, type ModelRequest, modelsOf } from './request.ts';
import type { RunRecord } from './run.ts';
import { type FeatureLayout, featureField } from './tensor.ts';

/** Columns that every part begins with; carried columns may not take these names. */
export const ROW_COLUMNS = [
  'sample_id',
  'uri',
  'sha256',
  'width',
  'height',
  'status',
  'error_code',
  'error_message',
] as const;

/** A value of the one model, or an object with that of each by its name. */
function ofModels<T>(request: ExtractRequest, get: (model: ModelRequest) => T): T | Readonly<Record<string, T>> {
  const models = modelsOf(request);
  if (models.length === 1) return get(request);
  return Object.fromEntries(models.map(model => [model.modelName ?? model.model, get(model)]));
}

function text(value: string | Readonly<Record<string, string>>): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Where a model lies on somebody's machine is nobody's business who reads a part. */
function withoutFolders(request: ExtractRequest): ExtractRequest {
  const { otherModels } = request;
  return {
    ...request,
    model: fileName(request.model),
    ...(otherModels && { otherModels: otherModels.map(other => ({ ...other, model: fileName(other.model) })) }),
  };
}

function fileName(path: string): string {
  return path.split(/[\\/]/).at(-1) ?? path;
}

/** How the columns of features lie in the parts of a run: as it began, whichever version works on it. */
export function layoutOf({ partSchema, request }: RunRecord): FeatureLayout {
  return { partSchema: partSchema ?? 1, tensors: request.tensors ?? 'typed' };
}

/** Whether a row has features: its status says so, not its values. */
export function isOk(batch: RecordBatch, row: number): boolean {
  return batch.getChild('status')?.get(row) === 'ok';
}

/** isOk of each row. */
export function okRows(batch: RecordBatch): boolean[] {
  return Array.from(batch.getChild('status') ?? [], status => status === 'ok');
}

/**
 * The frozen schema of a run's parts, with fingerprint, recipe (its quality is a field of it) and request in its metadata.
 * @param versions of what made the part: engine, decoders and so on
 */
export function rowSchema(run: RunRecord, versions: Readonly<Record<string, string>> = run.versions): Schema {
  const layout = layoutOf(run);
  const metadata = new Map([
    ...(layout.partSchema === 1 ? [] : [['layertap.part_schema', String(layout.partSchema)] as const]),
    ['layertap.fingerprint', run.fingerprint],
    ['layertap.recipe', JSON.stringify(ofModels(run.request, ({ recipe }) => recipe))],
    ['layertap.recipe_origin', text(ofModels(run.request, ({ recipeOrigin }) => recipeOrigin))],
    ['layertap.versions', JSON.stringify(versions)],
    ['layertap.request', JSON.stringify(withoutFolders(run.request))],
  ]);
  const fields = [
    new Field('sample_id', new Utf8(), false),
    new Field('uri', new Utf8(), false),
    new Field('sha256', new Utf8(), true),
    new Field('width', new Int32(), true),
    new Field('height', new Int32(), true),
    new Field('status', new Utf8(), false),
    new Field('error_code', new Utf8(), true),
    new Field('error_message', new Utf8(), true),
    ...run.carried.map(carriedField),
    ...run.columns.map(column => featureField(column, layout)),
  ];
  return new Schema(fields, metadata);
}
