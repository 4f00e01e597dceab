// The fingerprint: a hash of all that decides a feature. Two runs with one fingerprint give the same numbers.
import { createHash } from 'node:crypto';
import type { ExtractRequest } from './request.ts';

/** What decides a feature; everything else of a request only decides how it is stored. */
export function decidingFields(request: ExtractRequest): Readonly<Record<string, unknown>> {
  return {
    modelSha256: request.modelSha256,
    layers: request.layers,
    pool: request.pool,
    normalize: request.normalize,
    predictions: request.predictions,
    dtype: request.dtype,
    recipe: request.recipe,
    engine: request.engine,
    lowering: request.lowering,
  };
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
