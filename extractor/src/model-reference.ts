// What a user gives as a model: a path, `null:SHAPE`, or a URL with the digest of its file. For model-download.ts.
import { posix } from 'node:path';
import { publicUrl } from '../../setup/src/download.ts';
import { Refusal } from '../../shared/src/errors.ts';

export interface ModelAddress {
  /** With user and query, which may be secrets: for the request alone, never for a message or a file. */
  readonly url: string;
  /** `https://host/model.onnx#sha256=HEX`, without user and query. */
  readonly shown: string;
  /** Hex, in lower case. */
  readonly sha256: string;
  /** Name of the file, whose ending says its format. */
  readonly fileName: string;
}

/** Formats of one file; a folder travels as a .zip. */
const ENDINGS = ['.keras', '.h5', '.hdf5', '.onnx', '.zip'];

export function isModelUrl(reference: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(reference);
}

/** @throws Refusal `bad-option` for an address without a digest, of another scheme, or of no model file */
export function parseModelUrl(reference: string, given: string | undefined): ModelAddress {
  const url = parseUrl(reference);
  const shown = publicUrl(url.href);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new Refusal('bad-option', `Expected an http or https address for the model but received ${url.protocol}//`);
  }
  const fileName = decodeURIComponent(posix.basename(url.pathname)).replace(/[^\w.-]/g, '_');
  if (!ENDINGS.some(ending => fileName.length > ending.length && fileName.toLowerCase().endsWith(ending))) {
    throw new Refusal(
      'bad-option',
      `Expected a model address that ends in ${ENDINGS.join(', ')} but received ${shown}`,
      {
        hint: 'A model of several files (TensorFlow.js, SavedModel) can be had as a .zip of its folder.',
      },
    );
  }
  const sha256 = digestOf(url.hash, given, shown);
  return { url: url.href.replace(/#.*$/, ''), shown: `${shown}#sha256=${sha256}`, sha256, fileName };
}

function parseUrl(reference: string): URL {
  try {
    return new URL(reference);
  } catch {
    // The text itself may hold a password.
    throw new Refusal('bad-option', 'Expected a valid address for the model but received one that cannot be parsed');
  }
}

function digestOf(hash: string, given: string | undefined, shown: string): string {
  const inUrl = /^#sha256=(.*)$/i.exec(hash)?.[1];
  if (inUrl !== undefined && given !== undefined && inUrl.toLowerCase() !== given.toLowerCase()) {
    throw new Refusal('bad-option', `Expected one digest for ${shown} but #sha256= and --model-sha256 differ`);
  }
  const digest = (inUrl ?? given)?.toLowerCase();
  if (digest !== undefined && /^[0-9a-f]{64}$/.test(digest)) return digest;
  const received = digest === undefined ? 'none' : `'${digest}'`;
  throw new Refusal('bad-option', `Expected the sha256 of ${shown}, 64 hexadecimal digits, but received ${received}`, {
    hint: 'Take it from who published the model, or download the file once, look at it, and run `sha256sum FILE`; then give URL#sha256=HEX or --model-sha256 HEX.',
  });
}
