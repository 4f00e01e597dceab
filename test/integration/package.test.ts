// The package as a user installs it: from its tarball into an empty project, with its command, its import and its types.

import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { useDemoSet } from '../support/demo-set.ts';
import { readJson, readRows } from '../support/read-rows.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
const INSTALL_MS = 600_000;

const demo = useDemoSet();
let project: string;

interface Output {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Any program in the user's project; what this test run has set for layertap does not reach it. */
function execute(
  program: string,
  args: readonly string[],
  { cwd = project, env: more = {} }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Output> {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(LAYERTAP_|VITEST|NODE_OPTIONS$|NODE_ENV$|npm_)/.test(name),
  );
  const env = { ...Object.fromEntries(own), ...more };
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', code => resolve({ code, stdout, stderr }));
  });
}

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'layertap-package-'));
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'photos', private: true, type: 'module' }));
  const packed = await execute('npm', ['pack', '--ignore-scripts', '--pack-destination', project], { cwd: ROOT });
  expect(packed.code, packed.stderr).toBe(0);
  const tarball = (await readdir(project)).find(name => name.endsWith('.tgz'));
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  const installed = await execute('npm', ['install', `./${tarball}`, ...flags]);
  expect(installed.code, installed.stderr).toBe(0);
}, INSTALL_MS);

afterAll(() => rm(project, { recursive: true, force: true }));

describe('the installed package', () => {
  const model = 'node_modules/layertap/demo/model/model.json';

  it('holds what runs and nothing else', async () => {
    const files = await readdir(join(project, 'node_modules', 'layertap'));
    expect(files.sort()).toEqual(['LICENSE', 'README.md', 'demo', 'dist', 'package.json']);
    const { stdout } = await execute('npx', ['layertap', '--version']);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('extracts with npx', async () => {
    const args = ['extract', demo.images, '--model', model, '--layer', 'features', '--limit', '20', '--out', 'out'];
    const result = await execute('npx', ['layertap', ...args]);
    expect(result.code, result.stderr).toBe(0);
    expect(result.stdout).toContain('20: 18 ok, 2 failed');
    expect(await readJson(project, 'out', 'summary.json')).toMatchObject({ rows: 20, ok: 18 });
  });

  it('downloads TensorFlow only where it is told to, and says how to get it', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(404).end();
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const env = {
      // Not the one that this checkout's set-up filled.
      LAYERTAP_CACHE: join(project, 'cache'),
      LAYERTAP_TENSORFLOW: 'prebuilt',
      LAYERTAP_TENSORFLOW_BASE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    };
    const args = (out: string, ...more: readonly string[]): readonly string[] => [
      ...['layertap', 'extract', demo.images, '--model', model, '--layer', 'features', '--limit', '4', '--out', out],
      ...more,
    ];
    // An earlier run may have linked the library that the shared cache holds.
    await rm(join(project, 'node_modules', '@tensorflow', 'tfjs-node', 'lib', 'napi-v8'), {
      recursive: true,
      force: true,
    });
    const auto = await execute('npx', args('untold'), { env });
    expect(auto.code, auto.stderr).toBe(0);
    expect(auto.stderr).toMatch(/quicker with TensorFlow, which `npx layertap setup` prepares/);
    const byName = await execute('npx', args('by-name', '--engine', 'tensorflow'), { env });
    expect(byName.code).toBe(1);
    expect(byName.stderr).toMatch(
      /TensorFlow is not prepared here; `npx layertap setup` does that, once \(a download of 274 MB\)/,
    );
    expect(asked).toEqual([]);
    await execute('npx', args('told', '--prepare'), { env });
    expect(asked.length).toBeGreaterThan(0);
  });

  it("gives the same features by import { features } from 'layertap'", async () => {
    const script = `
      import { features } from 'layertap';
      const extract = features(${JSON.stringify(model)}, 'features');
      const { shape, data } = await extract([process.argv[2]]);
      await extract.close();
      console.log(JSON.stringify({ shape, data: [...data] }));`;
    await writeFile(join(project, 'use.mjs'), script);
    const { code, stdout, stderr } = await execute('node', ['use.mjs', demo.image(0, 0)]);
    expect(code, stderr).toBe(0);
    const { shape, data } = JSON.parse(stdout) as { shape: number[]; data: number[] };
    expect(shape).toEqual([1, 96]);
    const row = (await readRows(join(project, 'out'))).get('arrow/arrow-000.jpg');
    data.forEach((value, index) => {
      expect(value).toBeCloseTo(row?.features.features?.[index] ?? Number.NaN, 5);
    });
  });

  it('has types that tell right from wrong', async () => {
    const folder = join(project, 'typed');
    await mkdir(folder);
    await writeFile(
      join(folder, 'use.ts'),
      `import { features, openModel, Refusal, type FeatureResult } from 'layertap';
const one: FeatureResult = await features('model.json', 'layer')(['a.jpg', new Uint8Array(1)]);
const values: Float32Array = one.data;
const several = await features('model.json', ['a', 'b'], { pool: 'mean', engine: 'wasm' })('a.jpg');
const shape: readonly number[] | undefined = several['a']?.shape;
const names: string[] = (await openModel('model.json')).table.layers.map(layer => layer.name);
const code = new Refusal('unknown-layer', 'why').code;
// @ts-expect-error: no such pooling
features('model.json', 'layer', { pool: 'median' });
// @ts-expect-error: a path, bytes, pixels or a tensor
features('model.json', 'layer')(42);
export { code, names, shape, values };
`,
    );
    const strict = ['--strict', '--target', 'es2022', '--module', 'nodenext', '--moduleResolution', 'nodenext'];
    const check = (...flags: readonly string[]): Promise<Output> =>
      execute('node', [TSC, '--noEmit', ...strict, ...flags, 'typed/use.ts']);
    expect(await check('--skipLibCheck')).toEqual({ code: 0, stdout: '', stderr: '' });
    // TensorFlow.js' own declarations have errors; ours have none.
    const thorough = await check();
    expect(thorough.stdout.split('\n').filter(line => /^(node_modules\/layertap|typed)\//.test(line))).toEqual([]);
  });
});
