// TensorFlow's library: prepared once per cache, linked into each checkout, and a clear reason where it can't be had.

import { spawnSync } from 'node:child_process';
import { chmod, cp, mkdir, readdir, readFile, readlink, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { BINDING_PATH, findTfjsNode, verifyBinding } from '../../setup/src/tensorflow-binding.ts';
import { prepareTensorFlow, takePrepared, tensorFlowStatus } from '../../setup/src/tensorflow-library.ts';
import { because, whyNot } from '../support/needs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

beforeEach(() => {
  vi.stubEnv('LAYERTAP_TENSORFLOW', undefined);
  vi.stubEnv('LAYERTAP_TENSORFLOW_BASE_URL', 'http://127.0.0.1:1/'); // Nothing listens there.
});
afterEach(() => {
  vi.unstubAllEnvs();
});

test('the prepared library adds two tensors, and a further checkout is ready at once', async context => {
  const own = tensorFlowStatus();
  const tfjsNode = findTfjsNode();
  if (!own.available || !tfjsNode) return context.skip(whyNot('tensorflow') ?? 'no tfjs-node');
  expect(own.version).toMatch(/^\d+\.\d+\.\d+$/);
  await verifyBinding(tfjsNode);
  const further = await temporaryFolder();
  await cp(join(tfjsNode.folder, 'package.json'), join(further, 'package.json'));
  const steps: string[] = [];
  const status = await prepareTensorFlow({ packageFolder: further, log: line => steps.push(line) });
  expect(status).toEqual(own);
  expect(steps).toEqual([]); // No step took time.
  expect(await realpath(join(further, BINDING_PATH))).toBe(await realpath(join(tfjsNode.folder, BINDING_PATH)));
});

test("tfjs-node's own archives are laid out, linked and checked; the checkout after it downloads nothing", async () => {
  const { cacheRoot, packageFolder } = await fakeCheckout();
  const host = await serveArchives();
  vi.stubEnv('LAYERTAP_TENSORFLOW_BASE_URL', host.url);
  const status = await prepareTensorFlow({ cacheRoot, packageFolder, mode: 'prebuilt' });
  if (!status.available) throw new Error(status.reason);
  expect(status).toMatchObject({ origin: 'prebuilt', version: '2.9.1' });
  expect(await readdir(status.path)).toEqual(['libtensorflow.so.2']);
  expect(await readlink(join(packageFolder, BINDING_PATH))).toBe(join(status.path, '..', '..', BINDING_PATH));
  expect(tensorFlowStatus({ cacheRoot, packageFolder })).toEqual(status);
  expect(host.asked).toHaveLength(2);
  const second = await fakeCheckout();
  expect(await prepareTensorFlow({ ...second, cacheRoot, mode: 'prebuilt' })).toEqual(status);
  expect(host.asked).toHaveLength(2);
});

test('what the cache does not hold is not downloaded unless that is asked for', async () => {
  const { cacheRoot, packageFolder } = await fakeCheckout();
  const host = await serveArchives();
  vi.stubEnv('LAYERTAP_TENSORFLOW_BASE_URL', host.url);
  const calls = await fakePython('exit 1');
  for (const mode of ['auto', 'wheel', 'prebuilt'] as const) {
    expect(await takePrepared({ cacheRoot, packageFolder, mode })).toEqual(
      tensorFlowStatus({ cacheRoot, packageFolder, mode }),
    );
  }
  expect([host.asked.length, await calls()]).toEqual([0, 0]);
  expect(await readdir(cacheRoot)).toEqual([]);

  const status = await prepareTensorFlow({ cacheRoot, packageFolder, mode: 'prebuilt' });
  const second = await fakeCheckout();
  expect(await takePrepared({ ...second, cacheRoot, mode: 'auto' })).toEqual(status);
  expect(host.asked).toHaveLength(2);
});

test('an emptied cache is seen, and what does not run here is not kept', async () => {
  const { cacheRoot, packageFolder } = await fakeCheckout();
  vi.stubEnv('LAYERTAP_TENSORFLOW_BASE_URL', (await serveArchives()).url);
  expect(await prepareTensorFlow({ cacheRoot, packageFolder, mode: 'prebuilt' })).toMatchObject({ available: true });
  await rm(join(cacheRoot, 'tensorflow'), { recursive: true });
  expect(tensorFlowStatus({ cacheRoot, packageFolder })).toMatchObject({ available: false });
  await writeFile(join(packageFolder, 'index.js'), 'process.abort();');
  const status = await prepareTensorFlow({ cacheRoot, packageFolder, mode: 'prebuilt' });
  expect(status).toMatchObject({ available: false, reason: expect.stringMatching(/does not run here: .*SIGABRT/) });
  expect(await prepared(cacheRoot)).toEqual([]);
  expect(await readdir(join(packageFolder, 'lib', 'napi-v8'))).toEqual([]);
});

test.skipIf(whyNot('linux'))(
  `a wheel of other content is refused and leaves nothing${because(whyNot('linux'))}`,
  async () => {
    const { cacheRoot, packageFolder } = await fakeCheckout();
    await fakePython('echo other > "$saved/tensorflow-2.21.0.whl"');
    const status = await prepareTensorFlow({ cacheRoot, packageFolder, mode: 'wheel' });
    expect(status).toMatchObject({ available: false, reason: expect.stringContaining('Expected sha256') });
    expect(await prepared(cacheRoot)).toEqual([]);
  },
);

test.skipIf(whyNot('linux'))(`a pip that ends half-way leaves nothing${because(whyNot('linux'))}`, async () => {
  const { cacheRoot, packageFolder } = await fakeCheckout();
  await fakePython('echo half > "$saved/half.whl"; echo "ERROR: the network went away" >&2; exit 1');
  const status = await prepareTensorFlow({ cacheRoot, packageFolder, mode: 'wheel' });
  expect(status).toMatchObject({ available: false, reason: expect.stringContaining('the network went away') });
  expect(await prepared(cacheRoot)).toEqual([]);
});

test('where neither way works one paragraph says why, and it is not tried again at once', async () => {
  const { cacheRoot, packageFolder } = await fakeCheckout();
  const calls = await fakePython('exit 1');
  const first = await prepareTensorFlow({ cacheRoot, packageFolder, mode: 'auto' });
  if (first.available) throw new Error('Expected no TensorFlow');
  expect(first.reason).toMatch(
    /could not be prepared\. From the Python wheel: .*From tfjs-node's own archives: .*127\.0\.0\.1/,
  );
  expect(first.reason).not.toContain('\n');
  const after = await calls();
  expect(await prepareTensorFlow({ cacheRoot, packageFolder, mode: 'auto', retryAfterMs: 60_000 })).toEqual(first);
  expect(await calls()).toBe(after);
  expect(tensorFlowStatus({ cacheRoot, packageFolder, mode: 'auto' })).toEqual(first);
  await prepareTensorFlow({ cacheRoot, packageFolder, mode: 'auto' });
  if (process.platform === 'linux') expect(await calls()).toBeGreaterThan(after);
});

test('without a compiler nothing is downloaded first', async () => {
  const { cacheRoot, packageFolder } = await fakeCheckout();
  const calls = await fakePython('exit 1');
  vi.stubEnv('CXX', '/nowhere/g++');
  const status = await prepareTensorFlow({ cacheRoot, packageFolder, mode: 'wheel' });
  if (process.platform === 'linux') {
    expect(status).toMatchObject({ available: false, reason: expect.stringContaining('no C++ compiler was found') });
  }
  expect(await calls()).toBe(0);
});

test('a host that keeps silent is given up within seconds', async () => {
  const { cacheRoot, packageFolder } = await fakeCheckout();
  const server = createServer(() => {});
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  onTestFinished(() => server.closeAllConnections());
  vi.stubEnv('LAYERTAP_TENSORFLOW_BASE_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const status = await prepareTensorFlow({ cacheRoot, packageFolder, mode: 'prebuilt' });
  expect(status).toMatchObject({ available: false, reason: expect.stringContaining('no answer within 4 s') });
});

test('switched off or not installed, it is unavailable with that reason', async () => {
  vi.stubEnv('LAYERTAP_TENSORFLOW', 'off');
  expect(tensorFlowStatus()).toMatchObject({ available: false, reason: expect.stringContaining('switched off') });
  vi.stubEnv('LAYERTAP_TENSORFLOW', 'maybe');
  expect(() => tensorFlowStatus()).toThrow(/Expected one of auto, wheel, prebuilt, off/);
  const packageFolder = await temporaryFolder();
  expect(await prepareTensorFlow({ packageFolder, mode: 'auto' })).toMatchObject({
    available: false,
    reason: expect.stringContaining('@tensorflow/tfjs-node is not installed'),
  });
});

/** An empty cache and a package that stands in for tfjs-node: it computes if its binding is where it should be. */
async function fakeCheckout(): Promise<{ readonly cacheRoot: string; readonly packageFolder: string }> {
  const packageFolder = await temporaryFolder();
  await writeFile(join(packageFolder, 'package.json'), '{ "version": "4.22.0", "main": "index.js" }');
  const source = `
    const binding = require('node:fs').readFileSync(__dirname + '/lib/napi-v8/tfjs_binding.node', 'utf8');
    if (binding !== 'binding') throw new Error('a wrong binding');
    module.exports = {
      getBackend: () => 'tensorflow',
      tensor1d: values => values,
      add: (a, b) => ({ dataSync: () => a.map((value, index) => value + b[index]) }),
    };`;
  await writeFile(join(packageFolder, 'index.js'), source);
  return { cacheRoot: await temporaryFolder(), packageFolder };
}

/** Both archives in the layout of tfjs-node's own host. */
async function serveArchives(): Promise<{ readonly url: string; readonly asked: string[] }> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'lib'));
  await writeFile(join(folder, 'lib', 'libtensorflow.so.2'), 'library');
  await mkdir(join(folder, 'napi-v8'));
  await writeFile(join(folder, 'napi-v8', 'tfjs_binding.node'), 'binding');
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const member = path.includes('pre-built-binary') ? 'napi-v8' : 'lib';
    response.end(spawnSync('tar', ['-czf', '-', '-C', folder, member]).stdout);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked };
}

/**
 * A program in place of Python, whose `-m pip download` runs `script` with `$saved`, and one in place of a compiler, without
 * which nothing is downloaded; returns how often pip was called.
 */
async function fakePython(script: string): Promise<() => Promise<number>> {
  const folder = await temporaryFolder();
  const program = join(folder, 'python3');
  const calls = join(folder, 'calls');
  const source = `#!/bin/sh
case "$*" in *--version*) echo "pip 1"; exit 0;; esac
echo called >> "${calls}"
while [ $# -gt 0 ]; do [ "$1" = -d ] && saved=$2; shift; done
mkdir -p "$saved"
${script}
`;
  await writeFile(program, source);
  await chmod(program, 0o755);
  vi.stubEnv('LAYERTAP_PYTHON', program);
  const compiler = join(folder, 'g++');
  await writeFile(compiler, '#!/bin/sh\n');
  await chmod(compiler, 0o755);
  vi.stubEnv('CXX', compiler);
  return () =>
    readFile(calls, 'utf8').then(
      text => text.trim().split('\n').length,
      () => 0,
    );
}

/** What the cache holds beside the note on why there is no TensorFlow. */
async function prepared(cacheRoot: string): Promise<readonly string[]> {
  const names = await readdir(join(cacheRoot, 'tensorflow'));
  return names.filter(name => !name.startsWith('unavailable-'));
}
