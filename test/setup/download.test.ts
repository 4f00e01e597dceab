// Downloads, against a server on loopback: whole and with the right hash, or nothing.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { download } from '../../setup/src/download.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const CONTENT = Buffer.alloc(300_000, 'layertap');
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');

test('a whole file appears under its name with its hash', async () => {
  const folder = await temporaryFolder();
  const url = await serve((_, response) => response.end(CONTENT));
  const target = join(folder, 'below', 'file.bin');
  const got = await download({ url, target, sha256: SHA256, stream: new PassThrough() });
  expect(got).toEqual({ path: target, bytes: CONTENT.length, sha256: SHA256 });
  expect((await readFile(target)).equals(CONTENT)).toBe(true);
  expect(await readdir(join(folder, 'below'))).toEqual(['file.bin']);
});

test('a wrong hash is an error and leaves nothing behind', async () => {
  const folder = await temporaryFolder();
  const url = await serve((_, response) => response.end(`${CONTENT}x`));
  const target = join(folder, 'file.bin');
  await expect(download({ url, target, sha256: SHA256, stream: new PassThrough() })).rejects.toThrow(
    /Expected sha256 .* but received/,
  );
  expect(await readdir(folder)).toEqual([]);
});

test('an interrupted download is not taken for a whole one', async () => {
  const folder = await temporaryFolder();
  const url = await serve((_, response) => {
    response.writeHead(200, { 'content-length': CONTENT.length });
    response.write(CONTENT.subarray(0, 1000), () => response.destroy());
  });
  await expect(download({ url, target: join(folder, 'file.bin'), stream: new PassThrough() })).rejects.toThrow(
    /Expected to download/,
  );
  expect(await readdir(folder)).toEqual([]);
});

test('more bytes than the bound are refused, declared or not', async () => {
  const folder = await temporaryFolder();
  const declared = await serve((_, response) => response.end(CONTENT));
  const streamed = await serve((_, response) => {
    response.write(CONTENT);
    response.end();
  });
  for (const url of [declared, streamed]) {
    const target = join(folder, 'file.bin');
    await expect(download({ url, target, maxBytes: 1000, stream: new PassThrough() })).rejects.toThrow(/bound of 1000/);
  }
  expect(await readdir(folder)).toEqual([]);
});

test('a host that does not answer, or falls silent, is given up', async () => {
  const folder = await temporaryFolder();
  const mute = await serve(() => {});
  const silent = await serve((_, response) => {
    response.writeHead(200, { 'content-length': CONTENT.length });
    response.write(CONTENT.subarray(0, 1000));
  });
  const target = join(folder, 'file.bin');
  const bounds = { target, connectTimeoutMs: 100, silenceTimeoutMs: 100, stream: new PassThrough() };
  await expect(download({ url: mute, ...bounds })).rejects.toThrow(/no answer within 0.1 s/);
  await expect(download({ url: silent, ...bounds, connectTimeoutMs: 30_000 })).rejects.toThrow(/no more bytes within/);
  await expect(download({ url: 'http://127.0.0.1:1/file.bin', ...bounds })).rejects.toThrow(/Expected to download/);
  expect(await readdir(folder)).toEqual([]);
});

test('an error page is not the file', async () => {
  const folder = await temporaryFolder();
  const url = await serve((_, response) => response.writeHead(404).end('not here'));
  await expect(download({ url, target: join(folder, 'file.bin') })).rejects.toThrow(/answered 404/);
  expect(await readdir(folder)).toEqual([]);
});

test('piped output gets a few plain lines, a terminal one bar', async () => {
  const folder = await temporaryFolder();
  const url = await serve((_, response) => response.end(CONTENT));
  const piped = new PassThrough();
  await download({ url, target: join(folder, 'a'), stream: piped });
  const lines = String(piped.read()).trim().split('\n');
  expect(lines.length).toBeLessThanOrEqual(4);
  expect(lines.at(-1)).toMatch(/^downloading file.bin 100 % of 0.3 MB/);
  const terminal = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  await download({ url, target: join(folder, 'b'), stream: terminal });
  const drawn = String(terminal.read());
  expect(drawn).toContain('[##############################]');
  expect(drawn).not.toContain('\n');
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/file.bin`;
}
