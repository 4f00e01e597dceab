// A run computes with the same engine and gives the same bytes wherever nothing can be kept; and says what that costs.
import { spawnSync } from 'node:child_process';
import { chmod, cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { ShardReceipt } from '../../shared/src/receipt.ts';
import { openRun, readReceipts } from '../../shared/src/run.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { type RunOptions, type RunResult, run, start } from '../support/layertap.ts';
import { because } from '../support/needs.ts';
import { otherUser } from '../support/other-user.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const REQUEST = ['--model', DEMO_MODEL, '--layer', 'features', '--deterministic', '--limit', '12', '--processes', '1'];
const WARNING =
  /warn: Nothing can be kept in the cache .* so the next command compiles them again\. Set LAYERTAP_CACHE/;
/** Another user does not reach TensorFlow in the home of this one: a decision of all must have one reference. */
const ONE_REFERENCE = { LAYERTAP_TENSORFLOW: 'off' };
const demo = useDemoSet();
const user = otherUser();
const noOther = user === undefined ? 'nobody cannot reach this checkout' : undefined;
let wanted: readonly string[];

async function extract(env: Readonly<Record<string, string>>, options: RunOptions = {}): Promise<Extracted> {
  const out = await temporaryFolder();
  await chmod(out, 0o777);
  const ended = await run(['extract', demo.images, ...REQUEST, '--out', join(out, 'run')], {
    ...options,
    env: { ...ONE_REFERENCE, ...env },
  });
  return { ...ended, out: join(out, 'run') };
}

interface Extracted extends RunResult {
  readonly out: string;
}

/** Engine and digests of the parts. */
async function resultOf({ code, stderr, out }: Extracted): Promise<readonly string[]> {
  expect(code, stderr).toBe(0);
  const storage = openFileStorage(out);
  const record = await openRun(storage);
  const receipts: ShardReceipt[] = [];
  for await (const receipt of readReceipts(storage, record)) receipts.push(receipt);
  return [record.request.engine, ...receipts.flatMap(({ files }) => files.map(({ sha256 }) => sha256))];
}

async function leftBehind(): Promise<readonly string[]> {
  return (await readdir(tmpdir())).filter(name => name.startsWith('layertap-cache-'));
}

describe('a cache that', () => {
  let prefilled: string;

  beforeAll(async () => {
    prefilled = join(demo.root, 'prefilled');
    const out = join(demo.root, 'wanted');
    await chmod(demo.root, 0o755);
    const env = { ...ONE_REFERENCE, LAYERTAP_CACHE: prefilled };
    const ended = await run(['extract', demo.images, ...REQUEST, '--out', out], { env });
    wanted = await resultOf({ ...ended, out });
    expect(wanted[0]).toBe('onnx');
    expect(ended.stderr).not.toContain('warn:');
  }, 120_000);

  test('cannot be made is a temporary folder, which goes', async () => {
    const before = await leftBehind();
    const ended = await extract({ LAYERTAP_CACHE: '/proc/nope/cache' });
    expect(await resultOf(ended)).toEqual(wanted);
    expect(ended.stderr).toMatch(WARNING);
    expect((await leftBehind()).filter(name => !before.includes(name))).toEqual([]);
  });

  test.skipIf(noOther)(`belongs to another user is a temporary folder${because(noOther)}`, async () => {
    const place = join(await temporaryFolder(), 'cache');
    await mkdir(place, { mode: 0o755 });
    // The temporary folder's own parents are closed to others.
    await chmod(join(place, '..'), 0o755);
    if (user?.user === undefined) await chmod(place, 0o555);
    const ended = await extract({ LAYERTAP_CACHE: place }, user);
    expect(await resultOf(ended)).toEqual(wanted);
    expect(ended.stderr).toMatch(WARNING);
  });

  test.skipIf(noOther)(`is prefilled and closed to writing serves as it is${because(noOther)}`, async () => {
    const place = join(await temporaryFolder(), 'cache');
    await chmod(join(place, '..'), 0o755);
    await cp(prefilled, place, { recursive: true });
    spawnSync('chmod', ['-R', 'a+rX,a-w', place]);
    onTestFinished(() => void spawnSync('chmod', ['-R', 'u+w', place]));
    const ended = await extract({ LAYERTAP_CACHE: place }, user);
    expect(await resultOf(ended)).toEqual(wanted);
    expect(ended.stderr).not.toContain('compiling the model');
    expect(ended.stderr).not.toContain('warn:');
    expect(ended.stderr).toContain('compiled model from the cache');
  });

  test('is full is a temporary folder', async context => {
    const disk = mountSmallDisk(1);
    if ('reason' in disk) return context.skip(disk.reason);
    await mkdir(join(disk.path, 'cache'), { mode: 0o700 });
    // Room for a note, none for a model.
    await writeFile(join(disk.path, 'filling'), new Uint8Array(900_000));
    const ended = await extract({ LAYERTAP_CACHE: join(disk.path, 'cache') });
    expect(await resultOf(ended)).toEqual(wanted);
    expect(ended.stderr).toMatch(/warn: Nothing can be kept in the cache .*ENOSPC/);
  });

  test('is a home that does not exist is made, or is a temporary folder', async () => {
    const home = join(await temporaryFolder(), 'no', 'home');
    expect(await resultOf(await extract({ HOME: home, XDG_CACHE_HOME: '' }))).toEqual(wanted);
    expect(await readdir(join(home, '.cache', 'layertap'))).toContain('compiled');
    for (const env of [{ HOME: '/nonexistent' }, { HOME: '' }]) {
      const ended = await extract({ ...env, XDG_CACHE_HOME: '' }, user);
      expect(await resultOf(ended)).toEqual(wanted);
      expect(ended.stderr).toMatch(WARNING);
    }
  });

  test('has a damaged file makes it again', async () => {
    const place = join(await temporaryFolder(), 'cache');
    await cp(prefilled, place, { recursive: true });
    const names = (await readdir(join(place, 'compiled'))).filter(name => name.endsWith('.onnx'));
    for (const name of names) await writeFile(join(place, 'compiled', name), 'no model');
    expect(await resultOf(await extract({ LAYERTAP_CACHE: place }))).toEqual(wanted);
    for (const name of await readdir(join(place, 'decisions')))
      await writeFile(join(place, 'decisions', name), '{"engine');
    expect(await resultOf(await extract({ LAYERTAP_CACHE: place }))).toEqual(wanted);
  });

  test('two commands fill at the same time serves both', async () => {
    const place = join(await temporaryFolder(), 'cache');
    const both = await Promise.all([extract({ LAYERTAP_CACHE: place }), extract({ LAYERTAP_CACHE: place })]);
    for (const each of both) expect(await resultOf(each)).toEqual(wanted);
    const left = await readdir(join(place, 'compiled'));
    expect(left.filter(name => !/\.(onnx|json)$/.test(name))).toEqual([]);
  });

  test('is being filled does not keep a command that is told to end', async () => {
    const place = join(await temporaryFolder(), 'cache');
    const flags = ['--out', join(place, '..', 'run'), ...REQUEST];
    const running = start(['extract', demo.images, ...flags], { env: { ...ONE_REFERENCE, LAYERTAP_CACHE: place } });
    await running.says(/compiling the model/);
    running.kill('SIGTERM');
    expect(await running.ended).toMatchObject({
      code: 143,
      stderr: expect.stringContaining('Stopped by SIGTERM') as unknown,
    });
    // Its lock is taken over: the next one begins anew.
    expect(await resultOf(await extract({ LAYERTAP_CACHE: place }))).toEqual(wanted);
  });

  test('can be nowhere is refused with what to do, also where the engine is named', async () => {
    const env = { LAYERTAP_CACHE: '/proc/nope', TMPDIR: '/proc/nope' };
    const { code, stderr } = await extract(env);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /Expected a folder to make things in but neither \/proc\/nope .* nor \/proc\/nope can be written\n/,
    );
    expect(stderr).toContain('Set LAYERTAP_CACHE, or TMPDIR, to a folder');
  });
});
