// What our own readers of image files return: a value, or why the file is a failed row.
import type { SampleFailure } from '../../../shared/src/errors.ts';

export type ReadResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: SampleFailure };

export function corrupt(message: string): { readonly ok: false; readonly failure: SampleFailure } {
  return { ok: false, failure: { code: 'corrupt-image', message } };
}

export function unsupported(message: string): { readonly ok: false; readonly failure: SampleFailure } {
  return { ok: false, failure: { code: 'unsupported-format', message } };
}
