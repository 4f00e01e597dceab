// The storage on a file system keeps the contract of all storages, and says which path it cannot write and why.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { type CommandResult, runCommand } from '../../../setup/src/command.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { isTemporary, openFileStorage } from '../../../shared/src/storages/file.ts';
import { refusalOf } from '../../support/refusal.ts';
import { pathsIn } from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { describeStorage } from './storage-conformance.ts';

describeStorage('the file storage', async () => openFileStorage(join(await temporaryFolder(), 'out')));

/** Every way to write, each to a path below `parts/`. */
const WRITES: readonly (readonly [name: string, write: (storage: Storage, bytes: Uint8Array) => Promise<unknown>])[] = [
  ['replace', (storage, bytes) => storage.replace('parts/a', bytes)],
  ['createOnce', (storage, bytes) => storage.createOnce('parts/a', bytes)],
  [
    'stage and publish once',
    async (storage, bytes) => {
      const staged = await storage.stage('parts');
      try {
        await staged.write(bytes);
        await staged.publishOnce('parts/a');
      } finally {
        await staged.abort();
      }
    },
  ],
  [
    'stage',
    async (storage, bytes) => {
      const staged = await storage.stage('parts');
      try {
        await staged.write(bytes);
        await staged.publish('parts/a');
      } finally {
        await staged.abort();
      }
    },
  ],
];

/** A file system of its own, or the test skips and says why. */
async function mountTmpfs(context: TestContext, options: string): Promise<string> {
  const folder = await temporaryFolder();
  const mounted = await runCommand('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { timeoutMs: 10_000 });
  if (!mounted.ok) context.skip(`tmpfs cannot be mounted here: ${reasonOf(mounted)}`);
  onTestFinished(async () => {
    await runCommand('umount', [folder], { timeoutMs: 10_000 });
  });
  return folder;
}

function reasonOf(result: CommandResult): string {
  return result.missing ? 'there is no program `mount`' : result.stderr.trim();
}

describe.each(WRITES)('%s', (_, write) => {
  it('refuses a full disk, naming the path, and leaves nothing behind', async context => {
    const folder = await mountTmpfs(context, 'size=64k');
    const storage = openFileStorage(folder);
    const refusal = await refusalOf(() => write(storage, new Uint8Array(200_000).fill(1)), 'output-unwritable');
    expect(refusal.message).toMatch(/: the disk is full$/);
    expect(refusal.message).toContain(join(folder, 'parts'));
    expect(refusal.hint).toContain('layertap resume');
    expect(await pathsIn(storage, 'parts')).toEqual([]);
  });

  it('refuses a file system that is read-only, naming the path', async context => {
    const folder = await mountTmpfs(context, 'size=64k');
    await mkdir(join(folder, 'parts'));
    await runCommand('mount', ['-o', 'remount,ro', folder], { timeoutMs: 10_000 });
    const refusal = await refusalOf(() => write(openFileStorage(folder), new Uint8Array(1)), 'output-unwritable');
    expect(refusal.message).toMatch(/the file system is read-only$/);
    expect(refusal.message).toContain(join(folder, 'parts'));
  });

  it('refuses a path whose folder is a file, naming it', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'parts'), '');
    const refusal = await refusalOf(() => write(openFileStorage(folder), new Uint8Array(1)), 'output-unwritable');
    expect(refusal.message).toContain(join(folder, 'parts'));
    expect(refusal.message).toContain('is a file');
  });
});

describe('a directory without write permission', () => {
  it('is refused, naming the path, by a process that is not root', async context => {
    const script = fileURLToPath(new URL('../../support/write-as-other-user.ts', import.meta.url));
    const folder = await temporaryFolder();
    if (process.getuid?.() === undefined) context.skip('this system has no user ids');
    const result = await runCommand(process.execPath, ['--import', 'tsx', script, folder]);
    expect(result.stderr).toBe('');
    expect(JSON.parse(result.stdout)).toEqual(
      ['replace', 'createOnce', 'stage'].map(name => ({
        name,
        code: 'output-unwritable',
        message: expect.stringMatching(new RegExp(`^Cannot write '${folder}/.+': permission is denied$`)),
      })),
    );
  });
});

describe('replace', () => {
  it('leaves no temporary file when the target is a folder', async () => {
    const storage = openFileStorage(await temporaryFolder());
    await mkdir(join(storage.root, 'parts/a/b'), { recursive: true });
    await expect(storage.replace('parts/a', new Uint8Array(1))).rejects.toThrow();
    expect(await pathsIn(storage, 'parts')).toEqual([]);
  });
});

describe('isTemporary', () => {
  it('knows unfinished files, which no glob over parts matches', async () => {
    const storage = openFileStorage(await temporaryFolder());
    const staged = await storage.stage('parts/000');
    onTestFinished(() => staged.abort());
    const paths = await pathsIn(storage, 'parts');
    expect(paths.map(isTemporary)).toEqual([true]);
    expect(paths[0]).not.toMatch(/\.(parquet|arrow)$/);
    expect(isTemporary('parts/000/000000-1f3a9c2e.parquet')).toBe(false);
  });
});
