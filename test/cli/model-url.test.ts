// A run of a model by address, from end to end: fetched into the cache once, read by workers from their own.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { run } from '../support/layertap.ts';
import { skipAllWithout } from '../support/needs.ts';
import { runPython } from '../support/python.ts';
import { readJson, readRows } from '../support/read-rows.ts';

skipAllWithout('python');

const demo = useDemoSet();

it('extracts what the model at a path gives, and keeps the address without its secrets', async () => {
  const archive = join(demo.root, 'model.zip');
  const script = 'import shutil\nshutil.make_archive(given[0][:-4], "zip", given[1])\nprint("null")';
  await runPython(script, [archive, dirname(DEMO_MODEL)]);
  const bytes = await readFile(archive);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  let requests = 0;
  const server = createServer((_, response) => {
    requests++;
    response.end(bytes);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/demo.zip?token=topsecret`;

  const env = { LAYERTAP_CACHE: join(demo.root, 'cache') };
  const extract = (out: string, ...model: readonly string[]) =>
    run(
      [
        'extract',
        demo.images,
        ...model,
        '--out',
        join(demo.root, out),
        '--layer',
        'features',
        '--engine',
        'wasm',
        '--limit',
        '6',
      ],
      { env },
    );
  const fetched = await extract('fetched', '--model', url, '--model-sha256', sha256);
  expect(fetched.stderr).toContain('downloading demo.zip 100 %');
  expect(fetched.code).toBe(0);
  await extract('plain', '--model', DEMO_MODEL);
  const [rows, plain] = [await readRows(join(demo.root, 'fetched')), await readRows(join(demo.root, 'plain'))];
  for (const [id, { features }] of plain) expect(rows.get(id)?.features).toEqual(features);
  expect(requests).toBe(1);

  const record = await readJson<{ request: { modelUrl: string } }>(demo.root, 'fetched', 'run.json');
  expect(record.request.modelUrl).toBe(`${url.replace('?token=topsecret', '')}#sha256=${sha256}`);
  expect(`${fetched.stdout}${fetched.stderr}${JSON.stringify(record)}`).not.toContain('topsecret');

  const refused = await extract('refused', '--model', url);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('sha256sum FILE');
  expect(refused.stderr).not.toContain('topsecret');
});
