// Prepares TensorFlow's native library for tfjs-node, once per cache and in a moment per checkout; says why where it can't.

import { readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isFile, publishFile, publishFolder } from './cache.ts';
import { setupConfig, type TensorFlowMode } from './config.ts';
import { BINDING_PATH, findTfjsNode, placeBinding, type TfjsNode, verifyBinding } from './tensorflow-binding.ts';
import { fillFromPrebuilt, PREBUILT_VERSION } from './tensorflow-prebuilt.ts';
import { fillFromWheel, WHEEL_VERSION } from './tensorflow-wheel.ts';

export type TensorFlowOrigin = 'wheel' | 'prebuilt';

export type TensorFlowStatus =
  | {
      readonly available: true;
      readonly origin: TensorFlowOrigin;
      readonly version: string;
      /** Folder of the shared libraries. */
      readonly path: string;
    }
  | { readonly available: false; readonly reason: string };

export interface TensorFlowOptions {
  /** @default the set-up's configured cache */
  readonly cacheRoot?: string;
  /** @default the configured mode: auto, unless the environment says otherwise */
  readonly mode?: TensorFlowMode;
  /** Folder of @tensorflow/tfjs-node. @default the one that this package resolves */
  readonly packageFolder?: string;
  /** A failure younger than this is told again instead of being tried again. @default 0 */
  readonly retryAfterMs?: number;
  /** Gets one line per step that took time. @default silent */
  readonly log?: (line: string) => void;
}

/** What the marker file of a prepared cache folder holds. */
interface Prepared {
  readonly origin: TensorFlowOrigin;
  readonly version: string;
  readonly tfjsNode: string;
}

const MARKER = 'tensorflow.json';
const VERIFIED = 'verified';

/** Looks at what is there, in a few milliseconds; fetches, builds and loads nothing. */
export function tensorFlowStatus(options: TensorFlowOptions = {}): TensorFlowStatus {
  const mode = options.mode ?? setupConfig().tensorFlow;
  if (mode === 'off') return unavailable('TensorFlow is switched off by `LAYERTAP_TENSORFLOW=off`.');
  const tfjsNode = findTfjsNode(options.packageFolder);
  if (!tfjsNode) {
    return unavailable('The optional package @tensorflow/tfjs-node is not installed; `npm install` adds it.');
  }
  const placed = lookAtPlaced(tfjsNode);
  if (placed) return placed;
  const failure = readFailure(failurePath(options), mode);
  return unavailable(
    failure?.reason ?? 'TensorFlow is not prepared here; `npx layertap setup` does that, once (a download of 274 MB).',
  );
}

/** Makes TensorFlow ready for this checkout: from the cache, else from the wheel, else from tfjs-node's own archives. Never throws for want of it. */
export async function prepareTensorFlow(options: TensorFlowOptions = {}): Promise<TensorFlowStatus> {
  const status = tensorFlowStatus(options);
  const mode = options.mode ?? setupConfig().tensorFlow;
  const tfjsNode = findTfjsNode(options.packageFolder);
  if (status.available || mode === 'off' || !tfjsNode) return status;
  const failure = readFailure(failurePath(options), mode);
  if (failure && Date.now() - failure.at < (options.retryAfterMs ?? 0)) return unavailable(failure.reason);

  const reasons: string[] = [];
  for (const origin of originsOf(mode)) {
    try {
      return await prepareFrom(origin, tfjsNode, options);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      reasons.push(
        origin === 'wheel' ? `From the Python wheel: ${reason}` : `From tfjs-node's own archives: ${reason}`,
      );
    }
  }
  const reason = `TensorFlow's native library could not be prepared. ${reasons.join('. ')}. \`npx layertap setup\` tries again.`;
  await publishFile(failurePath(options), JSON.stringify({ mode, at: Date.now(), reason })).catch(() => {});
  return unavailable(reason);
}

/**
 * What an earlier set-up left in the cache, for a checkout whose packages were installed anew. Never downloads and never builds.
 */
export async function takePrepared(options: TensorFlowOptions = {}): Promise<TensorFlowStatus> {
  const status = tensorFlowStatus(options);
  const mode = options.mode ?? setupConfig().tensorFlow;
  const tfjsNode = findTfjsNode(options.packageFolder);
  if (status.available || mode === 'off' || !tfjsNode) return status;
  for (const origin of originsOf(mode)) {
    if (!(await isFile(join(folderOf(origin, tfjsNode, options), MARKER)))) continue;
    try {
      return await prepareFrom(origin, tfjsNode, options);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return unavailable(
        `TensorFlow lies in the cache but is of no use here: ${reason}. \`npx layertap setup\` tries again.`,
      );
    }
  }
  return status;
}

function originsOf(mode: Exclude<TensorFlowMode, 'off'>): readonly TensorFlowOrigin[] {
  return mode === 'auto' ? ['wheel', 'prebuilt'] : [mode];
}

async function prepareFrom(
  origin: TensorFlowOrigin,
  tfjsNode: TfjsNode,
  options: TensorFlowOptions,
): Promise<TensorFlowStatus> {
  const log = options.log ?? (() => {});
  const version = versionOf(origin);
  const prepared: Prepared = { origin, version, tfjsNode: tfjsNode.version };
  const folder = folderOf(origin, tfjsNode, options);
  const fill = origin === 'wheel' ? fillFromWheel : fillFromPrebuilt;
  await publishFolder(
    folder,
    async draft => {
      await fill({ draft, tfjsNode, log });
      await publishFile(join(draft, MARKER), JSON.stringify(prepared));
    },
    { marker: MARKER, onWait: holder => log(`waiting for ${holder}, which prepares TensorFlow`) },
  );
  await placeBinding(join(folder, BINDING_PATH), tfjsNode);
  if (!(await isFile(join(folder, VERIFIED)))) {
    const started = performance.now();
    try {
      await verifyBinding(tfjsNode);
    } catch (error) {
      // What doesn't load here is worth nothing: without it the next way, or the next attempt, starts clean.
      rmSync(join(tfjsNode.folder, BINDING_PATH), { force: true });
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
    await publishFile(join(folder, VERIFIED), process.version).catch(() => {});
    log(`checked that TensorFlow ${version} adds two tensors (${seconds(started)})`);
  }
  rmSync(failurePath(options), { force: true });
  return { available: true, origin, version, path: join(folder, 'deps', 'lib') };
}

/** A binding that stands in the package: a link into a cache, or the file that tfjs-node's own install script left. */
function lookAtPlaced(tfjsNode: TfjsNode): TensorFlowStatus | undefined {
  const binding = join(tfjsNode.folder, BINDING_PATH);
  try {
    statSync(binding); // Follows the link: one into an emptied cache counts as not there.
  } catch {
    return undefined;
  }
  try {
    const root = resolve(dirname(binding), dirname(readlinkSync(binding)), '..', '..');
    const prepared = JSON.parse(readFileSync(join(root, MARKER), 'utf8')) as Prepared;
    if (prepared.tfjsNode !== tfjsNode.version) return undefined;
    return { available: true, origin: prepared.origin, version: prepared.version, path: join(root, 'deps', 'lib') };
  } catch {
    return installedByScript(tfjsNode);
  }
}

function installedByScript(tfjsNode: TfjsNode): TensorFlowStatus | undefined {
  const path = join(tfjsNode.folder, 'deps', 'lib');
  try {
    const version = readdirSync(path)
      .map(name => /^libtensorflow\.(?:so\.)?(\d+\.\d+\.\d+)/.exec(name)?.[1])
      .find(found => found !== undefined);
    return version ? { available: true, origin: 'prebuilt', version, path } : undefined;
  } catch {
    return undefined;
  }
}

function versionOf(origin: TensorFlowOrigin): string {
  return origin === 'wheel' ? WHEEL_VERSION : PREBUILT_VERSION;
}

function folderOf(origin: TensorFlowOrigin, tfjsNode: TfjsNode, options: TensorFlowOptions): string {
  const name = `${versionOf(origin)}-${process.platform}-${process.arch}-tfjs-node-${tfjsNode.version}-${origin}`;
  return join(cacheFolder(options), name);
}

function cacheFolder(options: TensorFlowOptions): string {
  return join(options.cacheRoot ?? setupConfig().installedRoot, 'tensorflow');
}

function failurePath(options: TensorFlowOptions): string {
  return join(cacheFolder(options), `unavailable-${process.platform}-${process.arch}.json`);
}

function readFailure(path: string, mode: TensorFlowMode): { readonly reason: string; readonly at: number } | undefined {
  try {
    const failure = JSON.parse(readFileSync(path, 'utf8')) as { mode: string; reason: string; at: number };
    return failure.mode === mode ? failure : undefined;
  } catch {
    return undefined;
  }
}

function unavailable(reason: string): TensorFlowStatus {
  return { available: false, reason };
}

function seconds(started: number): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}
