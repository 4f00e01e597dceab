// The fingerprint: a hash of all that decides a feature. Two runs with one fingerprint give the same numbers.
import { createHash } from 'node:crypto';
import type { ExtractRequest, ModelRequest } from './request.ts';

/** What decides a feature; everything else of a request only decides how it is stored. */
export function decidingFields(request: ExtractRequest): Readonly<Record<string, unknown>> {
  return {
    ...decidingFieldsOfModel(request),
    pool: request.pool,
    normalize: request.normalize,
    dtype: request.dtype,
    otherModels: request.otherModels?.map(decidingFieldsOfModel),
  };
}

function decidingFieldsOfModel(request: ModelRequest): Readonly<Record<string, unknown>> {
  const { modelName, modelSha256, layers, predictions, recipe, engine, lowering } = request;
  return { modelName, modelSha256, layers, predictions, recipe, engine, lowering };
}

/** SHA-256 of the deciding fields as JSON with sorted keys. Hex. */
export function fingerprintOf(request: ExtractRequest): string {
  return createHash('sha256')
    .update(canonicalJson(decidingFields(request)))
    .digest('hex');
}

/** JSON with object keys sorted at every depth: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
