// Fetches one file over HTTP into the cache, whole and with the right hash or not at all.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { makeFolders } from '../../shared/src/make-folders.ts';
import { draftName } from './cache.ts';
import { openProgress, type ProgressOptions } from './progress.ts';

export interface DownloadOptions {
  readonly url: string;
  /** Where the file will lie; it appears there only when it is whole. */
  readonly target: string;
  /** Refuses any other content. @default not checked */
  readonly sha256?: string | undefined;
  /** Refuses anything larger. @default 1000000000 */
  readonly maxBytes?: number;
  /** Time until the host has answered. @default 4000 */
  readonly connectTimeoutMs?: number;
  /** Longest silence once bytes flow. @default 15000 */
  readonly silenceTimeoutMs?: number;
  /** Sent with the request; fetch drops credentials when it is sent to another host. @default none */
  readonly headers?: Readonly<Record<string, string>>;
  /** Gives the download up, with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** @default process.stderr */
  readonly stream?: ProgressOptions['stream'];
}

export interface Downloaded {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export async function download(options: DownloadOptions): Promise<Downloaded> {
  const maxBytes = options.maxBytes ?? 1_000_000_000;
  const draft = draftName(options.target);
  const abort = new AbortController();
  const name = basename(new URL(options.url).pathname);
  await makeFolders(dirname(options.target));
  const file = await open(draft, 'wx');
  let timer = giveUpAfter(abort, options.connectTimeoutMs ?? 4000, 'no answer');
  try {
    const response = await fetch(options.url, {
      signal: options.signal === undefined ? abort.signal : AbortSignal.any([abort.signal, options.signal]),
      headers: { 'accept-encoding': 'identity', ...options.headers },
    });
    if (!response.ok || !response.body) throw new Error(`the host answered ${response.status} ${response.statusText}`);
    const declared = Number(response.headers.get('content-length')) || undefined;
    if (declared && declared > maxBytes) throw tooLarge(declared, maxBytes);
    const progress = openProgress({ label: `downloading ${name}`, totalBytes: declared, stream: options.stream });
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const chunk of response.body) {
        clearTimeout(timer);
        timer = giveUpAfter(abort, options.silenceTimeoutMs ?? 15_000, 'no more bytes');
        bytes += chunk.byteLength;
        if (bytes > maxBytes) throw tooLarge(bytes, maxBytes);
        hash.update(chunk);
        await file.writeFile(chunk); // On a handle this appends, and writes all of the chunk.
        progress.update(bytes);
      }
    } finally {
      progress.close();
    }
    if (declared !== undefined && bytes !== declared) throw new Error(`${bytes} of ${declared} bytes arrived`);
    const sha256 = hash.digest('hex');
    if (options.sha256 && sha256 !== options.sha256) {
      throw new Error(`Expected sha256 ${options.sha256} but received ${sha256}`);
    }
    await file.sync();
    await file.close();
    await rename(draft, options.target);
    return { path: options.target, bytes, sha256 };
  } catch (error) {
    await file.close().catch(() => {});
    await rm(draft, { force: true });
    throw new Error(
      `Expected to download ${publicUrl(options.url)} but could not: ${reasonOf(error, abort)}; check the network, then run again`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Without user, password, query and fragment: these may be secrets, and messages end in logs. */
export function publicUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function giveUpAfter(abort: AbortController, timeoutMs: number, what: string): NodeJS.Timeout {
  return setTimeout(() => abort.abort(new Error(`${what} within ${timeoutMs / 1000} s`)), timeoutMs);
}

function tooLarge(bytes: number, maxBytes: number): Error {
  return new Error(`it has ${bytes} bytes or more, above the bound of ${maxBytes}`);
}

/** The innermost message: fetch wraps the network's own reason twice. */
function reasonOf(error: unknown, abort: AbortController): string {
  if (abort.signal.aborted && abort.signal.reason instanceof Error) return abort.signal.reason.message;
  let innermost = error;
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause;
  if (!(innermost instanceof Error)) return String(innermost);
  return innermost.message || ((innermost as NodeJS.ErrnoException).code ?? innermost.name);
}
