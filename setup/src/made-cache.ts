// Where runs keep what they make for later ones (compiled models, decisions, downloaded models): folders that no other user can
// write, and a temporary one where none can be written at all. Nobody loads a model that somebody else could have put there.
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, rmSync, type Stats, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError, hasErrorCode, Refusal } from '../../shared/src/errors.ts';
import { makeFolders } from '../../shared/src/make-folders.ts';
import { setupConfig } from './config.ts';

/** Of folders in the temporary folder: host, process and a random part follow. */
const TEMPORARY_PREFIX = 'layertap-cache-';
const ROOT_UID = 0;
/** What a disk says that takes nothing more, never took anything, or knows no links, which a lock is made of. */
const UNWRITABLE = [
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EACCES',
  'EPERM',
  'EIO',
  'ENOENT',
  'ENOTDIR',
  'ELOOP',
  'EEXIST',
  'ENOTSUP',
  'ENOSYS',
];

/** Of this process; and of the children that it gives it to. */
let temporary: Promise<string> | undefined;
let temporaryFolder: string | undefined;
let note: string | undefined;

/**
 * Caches that may hold what was made before, the preferred one first. Looks only; what another user could have written is not
 * among them.
 * @param room folder in the cache, which must be this user's own too
 */
export function madeFolders(room: string): readonly string[] {
  const { cacheRoot, cacheBehind } = setupConfig();
  const roots = [cacheRoot, cacheBehind].flatMap(root => (root === undefined ? [] : [root, ownFolder(root)]));
  const owners = [ownUid(), ROOT_UID];
  return [...(temporaryFolder === undefined ? [] : [temporaryFolder]), ...roots].filter(
    root => isOurs(root, owners) && (!existsSync(join(root, room)) || isOurs(join(root, room), owners)),
  );
}

/** A folder in a cache, made for this user alone. */
export async function makeRoom(cache: string, room: string): Promise<string> {
  await makeFolders(cache);
  await makePrivate(join(cache, room));
  return join(cache, room);
}

/** Where the cache would be made, or is, if it can be written; nothing is tried. */
export function placeOfCache(): string {
  const { cacheRoot } = setupConfig();
  return !existsSync(cacheRoot) || isOurs(cacheRoot, [ownUid()]) ? cacheRoot : ownFolder(cacheRoot);
}

/**
 * A folder that can be written: the cache, this user's own folder in a cache that others can write too, or a temporary folder
 * that goes when this process ends.
 * @throws Refusal `cache-unwritable` where not even that can be made
 */
export async function writableCache(): Promise<string> {
  if (temporary !== undefined) return temporary;
  const { folder, reason } = await openLasting();
  return folder ?? temporaryCache(reason);
}

/** As writableCache; undefined instead of a temporary folder, for what is not worth one. */
export async function lastingCache(): Promise<string | undefined> {
  return (await openLasting()).folder;
}

/** The temporary folder, for whoever finds in the middle of it that the cache takes nothing more. */
export function temporaryCache(reason: unknown): Promise<string> {
  temporary ??= makeTemporary(reason);
  return temporary;
}

/** One line for the user where things are made in a temporary folder: why, what it costs, what to do. It is given once. */
export function takeCacheNote(): string | undefined {
  const taken = note;
  note = undefined;
  return taken;
}

/** For processes that this one starts: they find what it made in its temporary folder, and leave that to it. */
export async function cacheEnvironment(): Promise<Readonly<Record<string, string>>> {
  const folder = await temporary?.catch(() => undefined);
  if (folder === undefined) return {};
  const { cacheRoot, installedRoot } = setupConfig();
  return { LAYERTAP_CACHE: folder, LAYERTAP_CACHE_BEHIND: cacheRoot, LAYERTAP_INSTALLED: installedRoot };
}

/** Whether an error says that a place takes nothing: full, read-only, another user's, gone. */
export function isUnwritable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return UNWRITABLE.some(code => hasErrorCode(error, code)) || isUnwritable(error.cause);
}

interface Lasting {
  readonly folder?: string;
  /** Why there is none. */
  readonly reason?: unknown;
}

async function openLasting(): Promise<Lasting> {
  const { cacheRoot } = setupConfig();
  let reason: unknown;
  for (const open of [openRoot, openOwnFolder]) {
    try {
      const folder = await open(cacheRoot);
      if (folder !== undefined) return { folder };
    } catch (error) {
      reason ??= error;
    }
  }
  return { reason };
}

/** Undefined where another user could write it. */
async function openRoot(root: string): Promise<string | undefined> {
  if (!existsSync(root)) {
    await makeFolders(join(root, '..'));
    await makePrivate(root);
  }
  if (!isOurs(root, [ownUid()])) return undefined;
  await tryWriting(root);
  return root;
}

async function openOwnFolder(root: string): Promise<string | undefined> {
  const folder = ownFolder(root);
  await makePrivate(folder);
  if (!isOurs(folder, [ownUid()])) {
    throw new Error(`${folder} belongs to another user, or others can write it`);
  }
  await tryWriting(folder);
  return folder;
}

function ownFolder(root: string): string {
  return join(root, `uid-${ownUid() ?? 'own'}`);
}

/** Undefined on Windows, whose home folders are private. */
function ownUid(): number | undefined {
  return process.getuid?.();
}

/**
 * A folder of one of the owners that no other user can write. A link must be the owner's as well: many have their cache on
 * another disk. Where a system gives each user a group of the same number, its members are that user.
 */
function isOurs(folder: string, owners: readonly (number | undefined)[]): boolean {
  let link: Stats;
  let found: Stats;
  try {
    link = lstatSync(folder);
    found = statSync(folder);
  } catch {
    return false;
  }
  if (!found.isDirectory()) return false;
  if (ownUid() === undefined) return true;
  const shared = found.mode & (found.gid === found.uid ? 0o002 : 0o022);
  return [link, found].every(({ uid }) => owners.includes(uid)) && shared === 0;
}

async function makePrivate(folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    if (!hasErrorCode(error, 'EEXIST')) throw error;
  });
}

/** What the mode says is not all: the file system may be read-only, or full. */
async function tryWriting(folder: string): Promise<void> {
  const path = join(folder, `.layertap-${randomBytes(8).toString('hex')}.tmp`);
  try {
    await writeFile(path, 'written', { flag: 'wx' });
  } finally {
    await rm(path, { force: true }).catch(() => undefined);
  }
}

async function makeTemporary(reason: unknown): Promise<string> {
  const { cacheRoot } = setupConfig();
  try {
    const folder = await mkdtemp(join(tmpdir(), `${TEMPORARY_PREFIX}${hostname()}-${process.pid}-`));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    temporaryFolder = folder;
    removeLeft(folder);
    note = `Nothing can be kept in the cache ${cacheRoot} (${describeError(reason)}): models are compiled in ${folder}, which goes at the end, so the next command compiles them again. Set LAYERTAP_CACHE to a folder that this user can write.`;
    return folder;
  } catch (cause) {
    throw new Refusal(
      'cache-unwritable',
      `Expected a folder to make things in but neither ${cacheRoot} (${describeError(reason)}) nor ${tmpdir()} can be written`,
      { hint: 'Set LAYERTAP_CACHE, or TMPDIR, to a folder that this user can write and that has room.', cause },
    );
  }
}

/** Those of processes of this machine that were killed. What cannot be looked at or removed stays. */
function removeLeft(own: string): void {
  const prefix = `${TEMPORARY_PREFIX}${hostname()}-`;
  try {
    for (const name of readdirSync(tmpdir()).filter(entry => entry.startsWith(prefix))) {
      const folder = join(tmpdir(), name);
      const pid = Number(/^\d+/.exec(name.slice(prefix.length))?.[0]);
      // A container's processes have the same numbers each time.
      const isLeft = folder !== own && pid > 0 && (pid === process.pid || !isAlive(pid));
      if (isLeft && isOurs(folder, [ownUid()])) rmSync(folder, { recursive: true, force: true });
    }
  } catch {
    // A temporary folder may be closed to listing, as on shared machines.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasErrorCode(error, 'EPERM');
  }
}
