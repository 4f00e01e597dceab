// The loader of ONNX Runtime switches its telemetry off, or does not load it. That it is silent then: test/integration/silent.test.ts.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const LOADER = pathToFileURL(join(root, 'dist/extractor/src/engines/onnx-runtime.js')).href;

/** What native code finds in the environment after the loader was called, and what the loader said. */
const LOAD = `
  const { loadRuntime } = await import(${JSON.stringify(LOADER)});
  const said = await loadRuntime().then(() => 'loaded', error => error.code + ': ' + error.message + ' ' + error.hint);
  process.report.excludeNetwork = true;
  const { ORT_DISABLE_TELEMETRY: value } = process.report.getReport().environmentVariables;
  const line = JSON.stringify({ said, value });`;

/** In a worker thread of a process that `before` ran in. */
const inThread = (before: string, options = '{}'): string => `
  import { SHARE_ENV, Worker } from 'node:worker_threads';
  ${before}
  const source = 'data:text/javascript,' + encodeURIComponent(${JSON.stringify(`${LOAD} console.log(line);`)});
  new Worker(new URL(source), ${options});`;

async function outcome(
  source: string,
  env: Readonly<Record<string, string>>,
): Promise<{ said: string; value?: string }> {
  const { ORT_DISABLE_TELEMETRY: _, ...clean } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', source], {
    env: { ...clean, ...env },
  });
  return JSON.parse(stdout) as { said: string; value?: string };
}

const SILENT = { said: 'loaded', value: '1' };

test.each([
  ['where nothing is set', {}],
  ["over a user's 0", { ORT_DISABLE_TELEMETRY: '0' }],
  ['over an empty value', { ORT_DISABLE_TELEMETRY: '' }],
])('it is switched off %s', async (_, env) => {
  expect(await outcome(`${LOAD} console.log(line);`, env as Record<string, string>)).toEqual(SILENT);
});

test("a worker thread, whose process.env native code doesn't read, refuses and says what to do", async () => {
  for (const env of [{}, { ORT_DISABLE_TELEMETRY: '0' }] as const) {
    const { said, value } = await outcome(inThread(''), env as Record<string, string>);
    expect(said).toMatch(/^engine-unavailable: Expected `ORT_DISABLE_TELEMETRY=1` .* this worker thread cannot set it/);
    expect(said).toContain("Set it in the main thread before this call (`process.env.ORT_DISABLE_TELEMETRY = '1'`)");
    expect(value).not.toBe('1');
  }
});

test('a worker thread loads it where the process has the variable', async () => {
  expect(await outcome(inThread(''), { ORT_DISABLE_TELEMETRY: '1' })).toEqual(SILENT);
  expect(await outcome(inThread("process.env.ORT_DISABLE_TELEMETRY = '1';"), {})).toEqual(SILENT);
  expect(await outcome(inThread('', '{ env: SHARE_ENV }'), { ORT_DISABLE_TELEMETRY: '0' })).toEqual(SILENT);
});

test('a Python script that imports ONNX Runtime sets the variable before, or imports common.py, which does', () => {
  const line = /^os\.environ\["ORT_DISABLE_TELEMETRY"\] = "1"$/m;
  const scripts = ['bench', 'conformance', 'test'].flatMap(pythonFiles);
  const importing = scripts.filter(path => /^\s*(import|from) onnxruntime\b/m.test(readFileSync(path, 'utf8')));
  expect(importing.length).toBeGreaterThan(0);
  expect(readFileSync(join(root, 'bench/peers/scripts/common.py'), 'utf8')).toMatch(line);
  for (const path of importing) {
    const [before = ''] = readFileSync(path, 'utf8').split(/^\s*(?:import|from) onnxruntime\b/m);
    expect(line.test(before) || /^from common import /m.test(before), path).toBe(true);
  }
});

function pythonFiles(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.py'))
    .map(name => join(root, folder, name));
}
