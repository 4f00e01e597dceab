// Models by address, from real servers on loopback: whole and of the right digest, or nothing; once, and without secrets.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openModel } from '../../extractor/src/model.ts';
import { locateModel, type ModelDownloadOptions, resolveModel } from '../../extractor/src/model-download.ts';
import { because, whyNot } from '../support/needs.ts';
import { runPython } from '../support/python.ts';
import { refusalOf } from '../support/refusal.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const noPython = whyNot('python');

const CONTENT = Buffer.alloc(300_000, 'layertap');
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');
/** For a server that says nothing: so short that no other answer may be held to them. */
const BOUNDS = { connectTimeoutMs: 200, silenceTimeoutMs: 200 } as const;

interface Served {
  /** http://127.0.0.1:PORT */
  readonly origin: string;
  readonly requests: readonly IncomingMessage[];
}

async function serve(answer: RequestListener): Promise<Served> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

async function quiet(
  options: Partial<ModelDownloadOptions> = {},
): Promise<ModelDownloadOptions & { cacheRoot: string }> {
  return { cacheRoot: await temporaryFolder(), stream: new PassThrough(), ...options };
}

/** What the cache holds of models, locks aside. */
async function kept(cacheRoot: string): Promise<readonly string[]> {
  return (await readdir(join(cacheRoot, 'models')).catch(() => [])).sort();
}

describe('a model with an address', () => {
  test('is downloaded once, with progress, and lies in the cache under its digest', async () => {
    const { origin, requests } = await serve((_, response) => response.end(CONTENT));
    const stream = new PassThrough();
    const options = await quiet({ stream });
    const first = await locateModel(`${origin}/nets/net.onnx#sha256=${SHA256}`, options);
    expect(first).toEqual({
      path: join(options.cacheRoot, 'models', SHA256, 'net.onnx'),
      url: `${origin}/nets/net.onnx#sha256=${SHA256}`,
    });
    expect(await readFile(first.path)).toEqual(CONTENT);
    expect(String(stream.read())).toContain('downloading net.onnx 100 %');
    expect(await locateModel(`${origin}/nets/net.onnx`, { ...options, sha256: SHA256.toUpperCase() })).toEqual(first);
    expect(requests).toHaveLength(1);
    expect(await kept(options.cacheRoot)).toEqual([SHA256]);
  });

  test('is downloaded once by two that ask at the same moment', async () => {
    const { origin, requests } = await serve((_, response) => response.end(CONTENT));
    const options = await quiet();
    const ask = (): Promise<string> => resolveModel(`${origin}/net.onnx#sha256=${SHA256}`, options);
    const [one, two] = await Promise.all([ask(), ask()]);
    expect(two).toBe(one);
    expect(requests).toHaveLength(1);
  });

  test('is followed to where it moved', async () => {
    const { origin } = await serve((request, response) => {
      if (request.url === '/net.onnx') response.writeHead(302, { location: '/blobs/4711?signature=x' }).end();
      else response.end(CONTENT);
    });
    const path = await resolveModel(`${origin}/net.onnx#sha256=${SHA256}`, await quiet());
    expect(await readFile(path)).toEqual(CONTENT);
  });

  test('keeps its user, password and query out of messages and records, and sends them', async () => {
    const { origin, requests } = await serve((request, response) => {
      if (request.headers.authorization === undefined) response.writeHead(403).end();
      else response.end(CONTENT);
    });
    const secret = `${origin.replace('//', '//anna:geheim@')}/net.onnx?token=topsecret`;
    const options = await quiet();
    const { url } = await locateModel(`${secret}#sha256=${SHA256}`, options);
    expect(url).toBe(`${origin}/net.onnx#sha256=${SHA256}`);
    expect(requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from('anna:geheim').toString('base64')}`);
    expect(requests[0]?.url).toBe('/net.onnx?token=topsecret');
    const marker = await readFile(join(options.cacheRoot, 'models', SHA256, 'source.json'), 'utf8');
    const wrong = await refusalOf(
      async () => resolveModel(`${secret}#sha256=${'0'.repeat(64)}`, await quiet()),
      'model-unreadable',
    );
    const none = await refusalOf(async () => resolveModel(secret, await quiet()), 'bad-option');
    const closed = secret.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1');
    const unreachable = await refusalOf(
      async () => resolveModel(`${closed}#sha256=${SHA256}`, await quiet()),
      'model-unreadable',
    );
    const said = [marker, wrong, none, unreachable].map(error =>
      typeof error === 'string' ? error : JSON.stringify([error.message, error.hint, String(error.cause)]),
    );
    expect(said.join('\n')).not.toMatch(/geheim|topsecret|anna/);
  });
});

describe('leaves nothing behind, and the next attempt starts anew, when', () => {
  const answers: readonly (readonly [string, RequestListener, RegExp])[] = [
    ['the digest is another', (_, response) => response.end(`${CONTENT}x`), /Expected sha256 .* but received/],
    ['there is no such file', (_, response) => response.writeHead(404).end('not here'), /answered 404/],
    [
      'the body ends early',
      (_, response) => {
        response.writeHead(200, { 'content-length': CONTENT.length });
        response.write(CONTENT.subarray(0, 1000), () => response.destroy());
      },
      /Expected to download/,
    ],
    ['the server does not answer', () => undefined, /no answer within 0.2 s/],
    [
      'the server falls silent',
      (_, response) => {
        response.writeHead(200, { 'content-length': CONTENT.length });
        response.write(CONTENT.subarray(0, 1000));
      },
      /no more bytes within 0.2 s/,
    ],
    [
      'it is sent in circles',
      (request, response) => response.writeHead(302, { location: request.url ?? '' }).end(),
      /redirect count exceeded/,
    ],
  ];

  test.each(answers)('%s', async (_, broken, message) => {
    const bounds = /within/.test(message.source) ? BOUNDS : {};
    let whole = false;
    const { origin } = await serve((request, response) => {
      if (whole) response.end(CONTENT);
      else broken(request, response);
    });
    const options = await quiet();
    const reference = `${origin}/net.onnx#sha256=${SHA256}`;
    const refusal = await refusalOf(() => resolveModel(reference, { ...options, ...bounds }), 'model-unreadable');
    expect(refusal.message).toMatch(message);
    expect(await kept(options.cacheRoot)).toEqual([]);
    whole = true;
    expect(await readFile(await resolveModel(reference, options))).toEqual(CONTENT);
  });

  test('it is larger than the bound', async () => {
    const { origin } = await serve((_, response) => response.end(CONTENT));
    const options = await quiet({ maxBytes: 1000 });
    const { message } = await refusalOf(
      () => resolveModel(`${origin}/net.onnx#sha256=${SHA256}`, options),
      'model-unreadable',
    );
    expect(message).toContain('bound of 1000');
    expect(await kept(options.cacheRoot)).toEqual([]);
  });

  test('the user stops it', async () => {
    const stop = new AbortController();
    const { origin } = await serve((_, response) => {
      response.writeHead(200, { 'content-length': CONTENT.length });
      response.write(CONTENT.subarray(0, 1000), () => stop.abort(new Error('stopped')));
    });
    const options = await quiet({ signal: stop.signal });
    await refusalOf(() => resolveModel(`${origin}/net.onnx#sha256=${SHA256}`, options), 'model-unreadable');
    expect(await kept(options.cacheRoot)).toEqual([]);
  });

  test('a process was killed in the middle: what it left goes with the next download', async () => {
    const { origin } = await serve((_, response) => response.end(CONTENT));
    const options = await quiet();
    const draft = join(options.cacheRoot, 'models', `${SHA256}.draft-${hostname()}-1-00000000`);
    await mkdir(draft, { recursive: true });
    await writeFile(join(draft, 'net.onnx'), CONTENT.subarray(0, 1000));
    await resolveModel(`${origin}/net.onnx#sha256=${SHA256}`, options);
    expect(await kept(options.cacheRoot)).toEqual([SHA256]);
  });
});

describe('is refused before anything is sent', () => {
  test.each([
    ['an address without a digest', 'https://host/net.onnx', 'Expected the sha256 of https://host/net.onnx'],
    ['half a digest', 'https://host/net.onnx#sha256=abc', "received 'abc'"],
    ['another scheme', `ftp://host/net.onnx#sha256=${SHA256}`, 'http or https'],
    ['a file on this machine', `file:///etc/net.onnx#sha256=${SHA256}`, 'http or https'],
    ['one of several files', `https://host/model.json#sha256=${SHA256}`, 'ends in .keras'],
    ['no address', `http://#sha256=${SHA256}`, 'cannot be parsed'],
  ])('%s', async (_, reference, message) => {
    const refusal = await refusalOf(async () => resolveModel(reference, await quiet()), 'bad-option');
    expect(refusal.message).toContain(message);
  });

  test('two digests that differ', async () => {
    const options = await quiet({ sha256: '0'.repeat(64) });
    const refusal = await refusalOf(() => resolveModel(`https://host/n.h5#sha256=${SHA256}`, options), 'bad-option');
    expect(refusal.message).toContain('differ');
  });
});

test('paths and null models are no addresses', async () => {
  expect(await locateModel('null:8')).toEqual({ path: 'null:8', url: undefined });
  expect(await locateModel('models/net.onnx')).toEqual({
    path: join(process.cwd(), 'models/net.onnx'),
    url: undefined,
  });
});

describe.skipIf(noPython)(`a .zip${because(noPython)}`, () => {
  async function zipOf(script: string): Promise<Buffer> {
    const path = join(await temporaryFolder(), 'model.zip');
    await runPython(`import zipfile\npath = given\n${script}\nprint("null")`, path);
    return readFile(path);
  }

  async function locateZip(bytes: Buffer, options: ModelDownloadOptions): Promise<string> {
    const { origin } = await serve((_, response) => response.end(bytes));
    return resolveModel(`${origin}/model.zip#sha256=${createHash('sha256').update(bytes).digest('hex')}`, options);
  }

  test('of a folder is the model in it', async () => {
    const folder = fileURLToPath(new URL('../../demo/model', import.meta.url));
    const bytes = await zipOf(`import os
with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
    for name in sorted(os.listdir(${JSON.stringify(folder)})):
        z.write(os.path.join(${JSON.stringify(folder)}, name), "demo/" + name)`);
    const unzipped = await openModel(await locateZip(bytes, await quiet()));
    expect(unzipped.sha256).toBe((await openModel(folder)).sha256);
  });

  test.each([
    ['leaves its folder', 'zipfile.ZipFile(path, "w").writestr("../evil.json", "{}")'],
    ['has an absolute name', 'zipfile.ZipFile(path, "w").writestr("/tmp/evil.json", "{}")'],
    [
      'holds a link',
      'i = zipfile.ZipInfo("link"); i.create_system = 3; i.external_attr = 0o120777 << 16\nzipfile.ZipFile(path, "w").writestr(i, "/etc/passwd")',
    ],
    [
      'is a bomb',
      'with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:\n    with z.open("bomb.bin", "w") as f:\n        for _ in range(120): f.write(bytes(1000000))',
    ],
    ['is none', 'open(path, "w").write("no zip at all")'],
  ])('that %s is refused, and leaves nothing behind', async (_, script) => {
    const options = await quiet();
    const bytes = await zipOf(script);
    await refusalOf(() => locateZip(bytes, options), 'model-unreadable');
    expect(await kept(options.cacheRoot)).toEqual([]);
  });
});
