// Nothing leaves the machine: every command, every engine, the services and the library in a network namespace that counts what
// they try. Started with `node`, without CI in the environment, which would silence ONNX Runtime and with it this test.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { COMMANDS } from '../../cli/src/commands.ts';
import { tensorFlowStatus } from '../../setup/src/tensorflow-library.ts';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { programPath } from '../support/programs.ts';
import { openOwnRedis } from '../support/redis.ts';
import { runSilently, type SilentChain, type SilentStep, silentWorldMissing } from '../support/silent-world.ts';

const LIBRARY = fileURLToPath(new URL('../../dist/extractor/src/index.js', import.meta.url));
const RUNTIME = fileURLToPath(new URL('../../node_modules/onnxruntime-node', import.meta.url));
const ONNX_MODEL = fileURLToPath(new URL('../extractor/models/golden/onnx/torch-opset17.onnx', import.meta.url));
/** The telemetry that this is about looks its collector's name up 10 to 30 s after the first session. */
const KEPT_SECONDS = 60;
const COLLECTOR = 'mobile.events.data.microsoft.com';
/** Two minutes on an idle machine. */
const TIMEOUT_MS = 900_000;
const REDIS = 'redis://127.0.0.1:6379';

const demo = useDemoSet();
const missing = silentWorldMissing();
const hasTensorFlow = tensorFlowStatus().available;

const PRODUCER = [programPath('producer')];
const WORKER = [programPath('worker')];
const HEALTH = [fileURLToPath(new URL('../../dist/services/worker/src/health.js', import.meta.url))];

type Flags = readonly string[];

/** What each engine is given. */
const ENGINES = {
  compiled: ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'onnx'],
  onnx: ['--model', ONNX_MODEL, '--layer', 'logits', '--scale', '1/255'],
  ...(hasTensorFlow && { tensorflow: ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'tensorflow'] }),
  wasm: ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm'],
  null: ['--model', 'null:16', '--layer', 'features', '--size', '8x8', '--scale', '1'],
} satisfies Readonly<Record<string, Flags>>;

/** A home that cannot be written, a cache elsewhere, and a user who switched the telemetry on. */
const READ_ONLY_HOME = { home: 'read-only', env: { LAYERTAP_CACHE: '{cache}', ORT_DISABLE_TELEMETRY: '0' } } as const;

function command(...args: Flags): SilentStep {
  return { args: [programPath('layertap'), ...args] };
}

/** A worker that stays with its engine loaded after a run, as services. */
function services(name: string, flags: Flags): SilentChain {
  const env = { REDIS_URL: REDIS, LAYERTAP_QUEUE: name };
  const request = flags.flatMap((flag, at) =>
    flag.startsWith('--') ? [[`LAYERTAP_${flag.slice(2).toUpperCase()}`, flags[at + 1] ?? '']] : [],
  );
  const run = { LAYERTAP_SOURCE: demo.images, LAYERTAP_OUT: '{out}/run', ...Object.fromEntries(request) };
  return {
    ...{ name: `services-${name}`, home: 'writable', seconds: KEPT_SECONDS },
    steps: [
      { args: WORKER, env: { ...env, LAYERTAP_PROCESSES: '1' }, keep: true, says: 'ready' },
      { args: PRODUCER, env: { ...env, ...run } },
      { args: HEALTH, env },
    ],
  };
}

/** The same as commands. */
function work(name: string, flags: Flags): SilentChain {
  const queue = ['--redis', REDIS, '--queue', `work-${name}`];
  return {
    ...{ name: `work-${name}`, seconds: KEPT_SECONDS },
    ...READ_ONLY_HOME,
    steps: [
      { ...command('work', ...queue, '--processes', '1'), keep: true, says: 'ready' },
      command('enqueue', demo.images, ...flags, '--out', '{out}/run', ...queue, '--wait'),
    ],
  };
}

/** A user's own program, which holds what `features()` gave it. */
function library(name: string, model: string, options: Readonly<Record<string, unknown>>): SilentChain {
  const layer = model === ONNX_MODEL ? 'logits' : 'features';
  const source = `
    const { features } = await import(${JSON.stringify(LIBRARY)});
    const extract = features(${JSON.stringify(model)}, '${layer}', ${JSON.stringify(options)});
    const { shape } = await extract([${JSON.stringify(demo.image(0, 0))}]);
    console.log('taken', shape.join('x'));
    setInterval(() => extract, 1000);`;
  const step = { args: ['--input-type=module', '--eval', source], keep: true, says: 'taken' } as const;
  return { ...READ_ONLY_HOME, name: `library-${name}`, seconds: KEPT_SECONDS, steps: [step] };
}

/** Every command beside those, on a run that stands. */
function commandChains(): readonly SilentChain[] {
  const out = '{out}/run';
  const some = ['--limit', '20', '--shard-size', '8'];
  const engines = Object.values(ENGINES);
  return [
    {
      ...{ name: 'runs', home: 'writable' },
      steps: [
        command('extract', demo.images, '--model', DEMO_MODEL, '--layer', 'features', '--out', out),
        ...['status', 'show', 'verify', 'resume', 'extend', 'gc'].map(name => command(name, out)),
        { ...command('retry-failed', out), ends: 1 },
        command('explain', out, 'arrow/arrow-000.jpg'),
        command('add-layer', out, '--layer', 'conv3'),
        command('compact', out),
        command('diff', out, out),
      ],
    },
    {
      ...{ name: 'tools', home: 'writable', env: { REDIS_URL: REDIS } },
      steps: [
        command('layers', DEMO_MODEL),
        command('layers', ONNX_MODEL),
        command('estimate', DEMO_MODEL, demo.images),
        command('compile', DEMO_MODEL, '--layer', 'features', '--out', '{out}/compiled.onnx'),
        {
          ...command(
            'certify',
            '--model',
            DEMO_MODEL,
            '--layer',
            'features',
            '--reference',
            join(demo.root, 'zeros.npy'),
          ),
          ends: 1,
        },
        ...(hasTensorFlow
          ? [
              command(
                'fit',
                demo.images,
                '--model',
                DEMO_MODEL,
                '--layer',
                'features',
                '--epochs',
                '1',
                '--out',
                '{out}/fit',
              ),
            ]
          : []),
        command('demo', '--out', '{out}/demo'),
        command('doctor'),
        { ...command('setup'), ends: hasTensorFlow ? 0 : 1 },
      ],
    },
    {
      ...{ name: 'read-only-home' },
      ...READ_ONLY_HOME,
      steps: engines.map((flags, at) => command('extract', demo.images, ...flags, ...some, '--out', `{out}/${at}`)),
    },
    {
      // The temporary folder that stands in for a cache goes.
      ...{ name: 'no-cache', home: 'read-only', env: { ORT_DISABLE_TELEMETRY: '0' } },
      steps: engines.map((flags, at) => command('extract', demo.images, ...flags, ...some, '--out', `{out}/${at}`)),
    },
  ];
}

test(
  'no look-up, no connection but Redis, and no file outside of output and cache',
  async context => {
    if (missing !== undefined) return context.skip(missing);
    const redis = await openOwnRedis();
    onTestFinished(() => redis.close());
    await writeZeros(join(demo.root, 'zeros'), 8, 96);
    const chains = [
      ...Object.entries(ENGINES).map(([name, flags], at) => (at % 2 === 0 ? services(name, flags) : work(name, flags))),
      library('compiled', DEMO_MODEL, { engine: 'onnx' }),
      library('onnx', ONNX_MODEL, { recipe: { width: 12, height: 16, scale: 1 / 255 } }),
      ...(hasTensorFlow ? [library('tensorflow', DEMO_MODEL, { engine: 'tensorflow' })] : []),
      library('wasm', DEMO_MODEL, { engine: 'wasm' }),
      ...commandChains(),
    ];
    expect(
      Object.keys(COMMANDS)
        .filter(name => name !== 'fit')
        .sort(),
    ).toEqual(commandsOf(chains));

    const report = await runSilently(chains, redis.url);
    for (const { steps, name } of chains) {
      const { results } = report.chains.find(chain => chain.name === name) ?? {};
      for (const { args, ends = 0, keep } of steps) {
        const result = results?.find(found => String(found.args) === String(args));
        const wanted = keep === true && args[0]?.startsWith('--') ? 'SIGTERM' : ends;
        expect(result?.end, `${name}: ${args.join(' ')}\n${result?.output}`).toBe(wanted);
      }
    }
    expect(report.queries).toEqual([]);
    expect(Object.entries(report.attempts).filter(([, count]) => count > 0)).toEqual([]);
    expect(report.strays).toEqual([]);
    expect(report.chains.flatMap(({ left }) => left.filter(path => !path.startsWith('home/.cache/layertap/')))).toEqual(
      [],
    );
  },
  TIMEOUT_MS,
);

test(
  'and all of these are seen: what ONNX Runtime does with its telemetry on, and any other attempt',
  async context => {
    if (missing !== undefined) return context.skip(missing);
    const loading = (env: Readonly<Record<string, string>>): SilentStep => ({
      args: [
        '--eval',
        `require(${JSON.stringify(RUNTIME)}).InferenceSession.create(${JSON.stringify(ONNX_MODEL)}).then(() => console.log('loaded'));
         setInterval(() => {}, 1000);`,
      ],
      ...{ env, keep: true, says: 'loaded' },
    });
    const reaching = `
      const { writeFileSync } = require('node:fs');
      const { homedir, userInfo } = require('node:os');
      const quiet = host => require('node:net').connect({ host, port: 443 }).on('error', () => {});
      ['192.0.2.1', '2001:db8::1', '127.0.0.1'].forEach(quiet);
      require('node:dns').resolve('reached.example', () => {});
      require('node:dgram').createSocket('udp4').send('x', 9, '127.0.0.1', function () { this.close(); });
      writeFileSync('in-working-directory', '');
      writeFileSync('/tmp/layertap-stray', '');
      writeFileSync(${JSON.stringify(fileURLToPath(new URL('../../layertap-stray', import.meta.url)))}, '');`;
    const redis = await openOwnRedis();
    onTestFinished(() => redis.close());
    const { queries, attempts, strays, chains } = await runSilently(
      [
        { name: 'telemetry', home: 'writable', seconds: KEPT_SECONDS, until: COLLECTOR, steps: [loading({})] },
        { name: 'telemetry-read-only', home: 'read-only', seconds: 1, steps: [loading({})] },
        { name: 'silenced', home: 'writable', seconds: 1, steps: [loading({ ORT_DISABLE_TELEMETRY: '1' })] },
        { name: 'reaching', home: 'writable', steps: [{ args: ['--eval', reaching] }] },
      ],
      redis.url,
    );
    expect(queries).toContain('reached.example');
    expect(queries).toContain(COLLECTOR);
    for (const kind of Object.keys(attempts)) expect(attempts[kind], kind).toBeGreaterThan(0);
    const packageRoot = fileURLToPath(new URL('../../', import.meta.url));
    expect([...strays].sort()).toEqual(['/tmp/layertap-stray', join(packageRoot, 'layertap-stray')].sort());
    const leftBy = (name: string): readonly string[] => chains.find(chain => chain.name === name)?.left ?? [];
    expect(leftBy('telemetry').join(' ')).toMatch(/home\/\.cache\/Microsoft\/.*onnxruntime\.db.*mat-debug-\d+\.log/);
    expect(leftBy('telemetry-read-only').join(' ')).toMatch(/mat-debug-\d+\.log.*:memory:\.ses/);
    expect(leftBy('silenced')).toEqual([]);
    expect(leftBy('reaching')).toEqual([expect.stringMatching(/in-working-directory$/)]);
  },
  TIMEOUT_MS,
);

function commandsOf(chains: readonly SilentChain[]): readonly string[] {
  const called = chains.flatMap(({ steps }) =>
    steps.map(({ args: [program, name] }) => (program === programPath('layertap') ? name : undefined)),
  );
  return [...new Set(called)].filter(name => name !== undefined && name !== 'fit').sort() as string[];
}

/** What NumPy would save of an array of zeros, and the images that its rows stand for. */
async function writeZeros(path: string, rows: number, columns: number): Promise<void> {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`.padEnd(117);
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length + 1, 0]);
  await writeFile(`${path}.npy`, Buffer.concat([start, Buffer.from(`${header}\n`), Buffer.alloc(rows * columns * 4)]));
  await writeFile(`${path}.txt`, Array.from({ length: rows }, (_, index) => demo.image(index, 0)).join('\n'));
}
