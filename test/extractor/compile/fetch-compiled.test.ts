// A worker's compiled model: from the cache, the run directory or the compiler, and always the file that the run names.
import { mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { digestOf } from '../../../extractor/src/compile/compiled-cache.ts';
import { type CompiledModel, compiledModel } from '../../../extractor/src/compile/compiled-model.ts';
import {
  type CompiledSource,
  type FetchedModel,
  fetchCompiled,
} from '../../../extractor/src/compile/fetch-compiled.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { encodeField, readFields } from '../../../extractor/src/models/protobuf.ts';
import { DEMO_MODEL } from '../../support/demo-set.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let options: { model: string; sha256: string; layers: readonly string[]; inputShape: readonly number[] };
let model: CompiledModel;
let cache: string;

beforeAll(async () => {
  const { path, sha256 } = await openModel(DEMO_MODEL);
  options = { model: path, sha256, layers: ['features'], inputShape: [64, 64, 3] };
  const own = await mkdtemp(join(tmpdir(), 'layertap-test-'));
  try {
    model = await compiledModel({ ...options, cache: own });
  } finally {
    await rm(own, { recursive: true });
  }
}, 120_000);

beforeEach(async () => {
  cache = join(await temporaryFolder(), 'cache');
  vi.stubEnv('LAYERTAP_CACHE', cache);
});
afterEach(() => vi.unstubAllEnvs());

async function* pieces(content: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += 10_000) yield content.subarray(at, at + 10_000);
}

/** @param content of the file in the run directory */
function sourceOf(content: Uint8Array | undefined, record: CompiledSource['record'] = model): CompiledSource {
  return { record, open: async () => content && pieces(content) };
}

/** The compiler cannot: its model is gone. */
const withoutModel = (): typeof options => ({ ...options, model: '/nowhere/model.json' });

async function keptIn(folder: string): Promise<Buffer | undefined> {
  return readFile(join(folder, 'compiled', `${model.sha256}.onnx`)).catch(() => undefined);
}

describe('fetchCompiled', () => {
  test('takes the file of the run directory, and keeps it for the next process', async () => {
    const first = await fetchCompiled(sourceOf(model.content), withoutModel());
    expect(first.from).toBe('run');
    expect(Buffer.compare(first.content, model.content)).toBe(0);
    expect((await fetchCompiled(sourceOf(undefined), withoutModel())).from).toBe('cache');
    expect(await keptIn(cache)).toEqual(Buffer.from(model.content));
  });

  test.each([
    ['truncated', (content: Uint8Array) => content.subarray(0, content.length - 1)],
    ['longer', (content: Uint8Array) => Buffer.concat([content, Buffer.alloc(9)])],
    ['changed in one byte', (content: Uint8Array) => flipped(content)],
    ['empty', () => new Uint8Array()],
  ])('a file that is %s is never used: the model is compiled here', async (_, damage) => {
    const damaged = damage(model.content);
    const fetched: FetchedModel = await fetchCompiled(sourceOf(damaged), options);
    expect([fetched.from, digestOf(fetched.content)]).toEqual(['compiler', model.sha256]);
    // Nor one of the cache: the run directory mends it.
    await writeFile(join(cache, 'compiled', `${model.sha256}.onnx`), damaged);
    expect((await fetchCompiled(sourceOf(model.content), withoutModel())).from).toBe('run');
    expect((await fetchCompiled(sourceOf(undefined), withoutModel())).from).toBe('cache');
  });

  test('reads a prefilled cache that is read-only, and writes nothing there', async () => {
    await fetchCompiled(sourceOf(model.content), withoutModel());
    const path = join(cache, 'compiled', `${model.sha256}.onnx`);
    const old = new Date(1_700_000_000_000);
    await utimes(path, old, old);
    expect((await fetchCompiled(sourceOf(undefined), withoutModel())).from).toBe('cache');
    const { mtimeMs } = await stat(path);
    expect(mtimeMs).toBe(old.getTime());
  });

  test('needs no cache at all where the run directory has the file', async () => {
    await writeFile(cache, 'a file in its place');
    const { madeFolders, takeCacheNote } = await import('../../../setup/src/made-cache.ts');
    expect((await fetchCompiled(sourceOf(model.content), withoutModel())).from).toBe('run');
    expect([madeFolders('compiled'), takeCacheNote()]).toEqual([[], undefined]);
  });

  test('declines where this machine compiles to another file', async () => {
    const record = { ...model, sha256: 'a'.repeat(64) };
    await expect(fetchCompiled(sourceOf(undefined, record), options)).rejects.toMatchObject({
      code: 'conditions-differ',
    });
  });

  test('compiles with the kind of convolutions of the run, whatever this processor prefers', async () => {
    const other = await compiledModel({ ...options, winograd: false, cache: await temporaryFolder() });
    const { content, from } = await fetchCompiled(sourceOf(undefined, other), options);
    expect([digestOf(content), from]).toEqual([other.sha256, 'compiler']);
  });

  test.each([
    ['names another file', withExternalWeight],
    ['holds functions', (content: Uint8Array) => Buffer.concat([content, encodeField(25, Buffer.from('x'))])],
  ])('refuses a file that %s, even where its digest is right', async (_, change) => {
    const content = change(model.content);
    const record = { sha256: digestOf(content), bytes: content.length, winograd: true };
    const refusal = { code: 'model-unreadable', hint: expect.stringContaining('compiled/') as unknown };
    await expect(fetchCompiled(sourceOf(content, record), options)).rejects.toMatchObject(refusal);
    await mkdir(join(cache, 'compiled'), { recursive: true, mode: 0o700 });
    await writeFile(join(cache, 'compiled', `${record.sha256}.onnx`), content);
    await expect(fetchCompiled(sourceOf(undefined, record), options)).rejects.toMatchObject(refusal);
  });
});

function flipped(content: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(content);
  copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
  return copy;
}

/** Adds a weight whose values lie in /etc/hostname. */
function withExternalWeight(content: Uint8Array): Uint8Array {
  const text = (number: number, value: string): Uint8Array => encodeField(number, Buffer.from(value));
  const entry = Buffer.concat([text(1, 'location'), text(2, '../../etc/hostname')]);
  // TensorProto: dims 1, float, a name, external_data, data_location EXTERNAL.
  const weight = Buffer.concat([
    Buffer.from([8, 1, 16, 1]),
    text(8, 'foreign'),
    encodeField(13, entry),
    Buffer.from([112, 1]),
  ]);
  const fields = [...readFields(content)].map(field =>
    field.number === 7 ? encodeField(7, Buffer.concat([field.bytes, encodeField(5, weight)])) : field.whole,
  );
  return Buffer.concat(fields);
}
