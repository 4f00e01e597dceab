// The compiled model of a run: made once by the planner, taken by every worker, checked on each processor, looked after by the commands.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CompiledRecord } from '../../shared/src/compiled-record.ts';
import { goldenPath } from '../extractor/engines/golden-layers.ts';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { jsonLines, type Running, run, start, startService } from '../support/layertap.ts';
import { useOwnQueues } from '../support/own-queues.ts';
import { readJson } from '../support/read-rows.ts';
import { redisUrl } from '../support/redis.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const demo = useDemoSet();
const REQUEST = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'onnx', '--batch', '4', '--shard-size', '8'];
/** Other test files share the Redis: each test has a queue of its own. */
const queueName = useOwnQueues('compiled');

interface Planned {
  readonly request: { readonly compiled: CompiledRecord };
}

async function recordOf(out: string): Promise<CompiledRecord> {
  return (await readJson<Planned>(out, 'run.json')).request.compiled;
}

async function plan(out: string, queue: string, source = demo.images): Promise<CompiledRecord> {
  const flags = ['--redis', redisUrl(), '--queue', queue, '--out', out];
  const { code, stderr } = await run(['enqueue', source, ...REQUEST, ...flags]);
  expect(code, stderr).toBe(0);
  return recordOf(out);
}

/** A worker on "another machine": with a cache of its own. */
function workerWith(queue: string, cache: string, env: Readonly<Record<string, string>> = {}): Running {
  return startService('worker', {
    ...{ REDIS_URL: redisUrl(), LAYERTAP_QUEUE: queue, LAYERTAP_PROCESSES: '2' },
    LAYERTAP_CACHE: cache,
    ...env,
  });
}

async function waitForRun(out: string, queue: string): Promise<void> {
  const waiting = await run(['resume', out, '--redis', redisUrl(), '--queue', queue, '--wait']);
  expect(waiting.code, waiting.stderr).toBe(0);
}

const messages = (worker: Running): readonly string[] =>
  jsonLines(worker.output()).map(({ message }) => String(message));

describe('a worker', () => {
  test('takes the model from the run directory, then from its cache, and compiles nothing', async () => {
    const [out, cache, queue] = [join(demo.root, 'taken'), await temporaryFolder(), queueName()];
    const { sha256, bytes, answers } = await plan(out, queue);
    expect((await readFile(join(out, 'compiled', `${sha256}.onnx`))).length).toBe(bytes);
    expect(answers.rows).toBeLessThanOrEqual(2);
    const worker = workerWith(queue, join(cache, 'own'));
    await waitForRun(out, queue);
    const ready = messages(worker).filter(message => message.startsWith('onnx is ready'));
    expect(ready).toHaveLength(2);
    for (const message of ready)
      expect(message).toMatch(
        /s of processor time; compiled model from the (run directory|cache): [\d.]+ s to read, [\d.]+ s to check on this processor\)$/,
      );
    expect(await run(['verify', '--deep', out])).toMatchObject({ code: 0 });
  });

  test('starts no compiler, not one of ten that start at once, each on a machine of its own', async () => {
    const [out, cache, queue] = [join(demo.root, 'ten'), await temporaryFolder(), queueName()];
    const caches = Array.from({ length: 10 }, (_, index) => join(cache, String(index)));
    const workers = caches.map(own => workerWith(queue, own, { LAYERTAP_PROCESSES: '1' }));
    await Promise.all(workers.map(worker => worker.says(/worker \S+ is ready/)));
    // Enough for each to see some: a worker warms up for what waits.
    const { sha256 } = await plan(out, queue, await demo.longList(800));
    await waitForRun(out, queue);
    await Promise.all(workers.map(worker => worker.says(/onnx is ready .* compiled model from the run directory/)));
    // What compiles a model notes in its cache what it was compiled to.
    for (const own of caches) expect(await readdir(join(own, 'compiled'))).toEqual([`${sha256}.onnx`]);
  });

  test('without a cache that can be written takes it from the run directory, and writes none', async () => {
    const [out, queue] = [join(demo.root, 'no-cache'), queueName()];
    await plan(out, queue);
    const worker = workerWith(queue, '/proc/nope');
    await waitForRun(out, queue);
    const ready = messages(worker).filter(message => message.startsWith('onnx is ready'));
    expect(ready.every(message => message.includes('compiled model from the run directory'))).toBe(true);
    expect(messages(worker).join('\n')).not.toContain('Nothing can be kept');
  });

  test('compiles the very same file where the run directory has lost it', async () => {
    const [out, cache, queue] = [join(demo.root, 'lost'), await temporaryFolder(), queueName()];
    const { sha256 } = await plan(out, queue);
    await rm(join(out, 'compiled'), { recursive: true });
    const worker = workerWith(queue, join(cache, 'own'));
    // `resume` would put the file back.
    await worker.says(/run \S+ is done/);
    expect(messages(worker).join('\n')).toContain('compiled model compiled here');
    expect(await readFile(join(cache, 'own', 'compiled', `${sha256}.onnx`))).toBeDefined();
  });

  test('declines where its processor gives other answers than the run was planned with', async () => {
    const [out, cache, queue] = [join(demo.root, 'differs'), await temporaryFolder(), queueName()];
    await plan(out, queue);
    const path = join(out, 'run.json');
    const record = JSON.parse(await readFile(path, 'utf8'));
    const [layer] = record.request.compiled.answers.layers;
    const values = Buffer.from(layer.values, 'base64');
    for (let at = 0; at < values.length; at += 4) values.writeFloatLE(values.readFloatLE(at) + 0.01, at);
    layer.values = values.toString('base64');
    await writeFile(path, JSON.stringify(record));
    const worker = workerWith(queue, join(cache, 'own'));
    await worker.says(/is declined: Expected the compiled model to give the answers that \w+ gave/);
    const status = await run(['status', out, '--redis', redisUrl(), '--queue', queue]);
    expect(status.stdout).toContain('was declined: Expected the compiled model to give the answers');
  });
});

describe('the run directory', () => {
  test('is mended by resume, checked by verify, cleared by gc, and told of in its README', async () => {
    const out = join(demo.root, 'kept');
    const extracted = await run(['extract', demo.images, ...REQUEST, '--out', out]);
    expect(extracted.code, extracted.stderr).toBe(0);
    const { sha256 } = await recordOf(out);
    const path = join(out, 'compiled', `${sha256}.onnx`);
    const whole = await readFile(path);
    expect(await readFile(join(out, 'README.md'), 'utf8')).toContain('`compiled/` holds the model');
    await writeFile(path, whole.subarray(1));
    const damaged = await run(['verify', out]);
    expect(damaged.code).toBe(1);
    expect(damaged.stdout).toContain(`compiled/${sha256}.onnx is damaged`);
    expect(await run(['resume', out])).toMatchObject({ code: 0 });
    expect(Buffer.compare(await readFile(path), whole)).toBe(0);
    await writeFile(join(out, 'compiled', `${'0'.repeat(64)}.onnx`), 'of no model');
    expect((await run(['gc', out, '--json'])).stdout).toContain(
      `"kind":"compiled","path":"compiled/${'0'.repeat(64)}.onnx"`,
    );
    expect(await run(['verify', out])).toMatchObject({ code: 0 });
    // Without it, the rows are all there.
    await rm(path);
    expect(await run(['verify', out])).toMatchObject({ code: 0 });
  });

  test('has the model of all layers after add-layer, and a retry finds it', async () => {
    const out = join(demo.root, 'added');
    expect((await run(['extract', demo.images, ...REQUEST, '--out', out])).code).toBe(0);
    const before = await recordOf(out);
    const added = await run(['add-layer', out, '--layer', 'conv3']);
    expect(added.code, added.stderr).toBe(0);
    const after = await recordOf(out);
    expect(after.sha256).not.toBe(before.sha256);
    expect(after.answers.layers).toHaveLength(2);
    expect((await readFile(join(out, 'compiled', `${after.sha256}.onnx`))).length).toBe(after.bytes);
    // The images are broken still.
    const retried = await run(['retry-failed', out], { env: { LAYERTAP_CACHE: '/proc/nope' } });
    expect(retried.stderr).toContain('compiled model from the run directory');
    expect(await run(['verify', '--deep', out])).toMatchObject({ code: 0 });
  });
});

test('a decision for a slower engine is a warning: of extract, status and the README, and of a worker', async () => {
  const [out, queue] = [join(demo.root, 'slower'), queueName()];
  const model = goldenPath('small-graph-model');
  const request = ['--model', model, '--layer', 'pooled', '--size', '10x12', '--scale', '1/255'];
  const flags = ['--redis', redisUrl(), '--queue', queue, '--out', out];
  const planned = await run(['enqueue', demo.images, ...request, ...flags]);
  const warning =
    /This run computes on (wasm|tensorflow), about \d+ times slower than a compiled model \(MobileNetV2\)\. The model cannot be compiled: it has branches or loops\. /;
  expect(planned.code, planned.stderr).toBe(0);
  expect(planned.stderr).toMatch(warning);
  const worker = start(['work', '--redis', redisUrl(), '--queue', queue]);
  await waitForRun(out, queue);
  expect(worker.output().match(new RegExp(warning, 'g'))).toHaveLength(1);
  expect((await run(['status', out])).stdout).toMatch(warning);
  expect(await readFile(join(out, 'README.md'), 'utf8')).toMatch(warning);
});
