// The schema of a part: one row per sample, then one column per layer. What readers of the output rely on.
import { Field, Int32, Schema, Utf8 } from 'apache-arrow';
import { carriedField } from './manifest.ts';
import { type ExtractRequest, type ModelRequest, modelsOf } from './request.ts';
import type { RunRecord } from './run.ts';
import { featureField } from './tensor.ts';

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

/**
 * The frozen schema of a run's parts, with fingerprint, recipe (its quality is a field of it) and request in its metadata.
 * @param versions of what made the part: engine, decoders and so on
 */
export function rowSchema(run: RunRecord, versions: Readonly<Record<string, string>> = run.versions): Schema {
  const metadata = new Map([
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
    ...run.columns.map(featureField),
  ];
  return new Schema(fields, metadata);
}
