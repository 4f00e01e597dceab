// A model by address: downloaded once, checked against its digest, kept in the cache under it. For whoever opens a model.
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { publishFolder } from '../../setup/src/cache.ts';
import { type DownloadOptions, download } from '../../setup/src/download.ts';
import { isUnwritable, madeFolders, temporaryCache, writableCache } from '../../setup/src/made-cache.ts';
import { Refusal } from '../../shared/src/errors.ts';
import { isModelUrl, type ModelAddress, parseModelUrl } from './model-reference.ts';
import { unzipModel } from './unzip-model.ts';

export interface ModelDownloadOptions
  extends Pick<DownloadOptions, 'connectTimeoutMs' | 'silenceTimeoutMs' | 'maxBytes' | 'stream' | 'signal'> {
  /** Digest of the file where the address has none. */
  readonly sha256?: string | undefined;
  /** @default the cache of the set-up */
  readonly cacheRoot?: string;
}

export interface LocatedModel {
  /** For `openModel`: absolute. */
  readonly path: string;
  /** Where a worker elsewhere gets the same bytes; without user and query. Undefined for a model that came as a path. */
  readonly url: string | undefined;
}

/** Written last: what lies beside it is whole and has the digest. */
const MARKER = 'source.json';
/** A folder that came as a .zip. */
const UNPACKED = 'model';
/** Larger than any model that a machine of today loads. */
const MAX_BYTES = 20_000_000_000;
const CONNECT_TIMEOUT_MS = 30_000;

/**
 * The model's place on this machine. An address is downloaded unless a file of its digest is in the cache.
 * @param reference a path, `null:SHAPE`, or `https://host/model.onnx#sha256=HEX`
 * @throws Refusal `bad-option` for an address without a digest; `model-unreadable` where its file can't be had
 */
export async function locateModel(reference: string, options: ModelDownloadOptions = {}): Promise<LocatedModel> {
  if (!isModelUrl(reference)) {
    return { path: /^null:/.test(reference) ? reference : resolve(reference), url: undefined };
  }
  const address = parseModelUrl(reference, options.sha256);
  const name = join('models', address.sha256);
  const caches = options.cacheRoot === undefined ? madeFolders('models') : [options.cacheRoot];
  const holder = caches.find(cache => existsSync(join(cache, name, MARKER)));
  const fill = async (cache: string): Promise<string> => {
    const folder = join(cache, name);
    await publishFolder(folder, draft => fetchInto(draft, address, options), { marker: MARKER });
    return folder;
  };
  const cache = holder ?? options.cacheRoot ?? (await writableCache());
  let folder: string;
  try {
    folder = await fill(cache).catch(async error => {
      // A disk that is full takes a note, but no model.
      const other = isUnwritable(error) && options.cacheRoot === undefined ? await temporaryCache(error) : cache;
      if (other === cache) throw error;
      return fill(other);
    });
  } catch (error) {
    if (error instanceof Refusal) throw error;
    if (isUnwritable(error)) throw noRoom(error);
    // Not with its cause: a network library may quote the address with its secrets.
    const reason = error instanceof Error ? error.message : String(error);
    throw new Refusal('model-unreadable', reason, {
      hint: 'Nothing was kept. Compare the address and its sha256 with what the publisher of the model says.',
    });
  }
  return { path: join(folder, isZip(address) ? UNPACKED : address.fileName), url: address.shown };
}

function noRoom(cause: unknown): Refusal {
  return new Refusal('cache-unwritable', 'Expected room for the model in the cache but it could not be written', {
    hint: 'Free some space, or set LAYERTAP_CACHE to a folder on another disk.',
    cause,
  });
}

/** `locateModel` for those who need the path alone. */
export async function resolveModel(reference: string, options: ModelDownloadOptions = {}): Promise<string> {
  return (await locateModel(reference, options)).path;
}

async function fetchInto(draft: string, address: ModelAddress, options: ModelDownloadOptions): Promise<void> {
  const { cacheRoot: _, ...downloadOptions } = options;
  const target = join(draft, address.fileName);
  const { bytes } = await download({
    maxBytes: MAX_BYTES,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    ...downloadOptions,
    ...requestOf(address),
    target,
    sha256: address.sha256,
  });
  if (isZip(address)) {
    await unzipModel(target, join(draft, UNPACKED));
    await rm(target);
  }
  await writeFile(join(draft, MARKER), `${JSON.stringify({ url: address.shown, bytes })}\n`);
}

/** fetch takes no user and password inside an address: they travel in a header. */
function requestOf({ url }: ModelAddress): Pick<DownloadOptions, 'url' | 'headers'> {
  const plain = new URL(url);
  const { username, password } = plain;
  if (username === '' && password === '') return { url };
  plain.username = '';
  plain.password = '';
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { url: plain.href, headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` } };
}

function isZip({ fileName }: ModelAddress): boolean {
  return fileName.toLowerCase().endsWith('.zip');
}
