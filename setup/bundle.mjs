// Bundles what the programs import, in place, in a compiled tree: node setup/bundle.mjs dist
//
// A process or thread of ours imports some 500 small files; reading them takes longer than starting Node itself. Each entry of
// the compiled tree is overwritten by one that finds all it needs in a few chunks. Every other module stays: the library's
// index and the tests import them. Packages that bring native code or WebAssembly stay packages.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { build } from 'esbuild';

/** What is started by name; the other entries are found in the sources. */
const PROGRAMS = [
  'cli/src/main.js',
  'services/producer/src/main.js',
  'services/worker/src/main.js',
  'services/worker/src/health.js',
];
/** The one way to start a process or thread of our own. */
const STARTED = /compiledUrl\('([^']+)\.ts', import\.meta\.url\)/g;
const PACKAGES = ['@tensorflow/*', 'h5wasm', 'onnxruntime-node', 'parquet-wasm', 'sharp'];

const dist = resolve(process.argv[2] ?? 'dist');

/** A module that asks where it is gets the answer that it had in its own file. */
const ownPlace = {
  name: 'own-place',
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, ({ path }) => {
      const place = relative(dist, path).split(sep).join('/');
      if (place.startsWith('..')) return undefined;
      const text = readFileSync(path, 'utf8');
      return { contents: text.replaceAll('import.meta.url', `(distUrl + ${JSON.stringify(place)})`), loader: 'js' };
    });
  },
};

const { metafile } = await build({
  entryPoints: [...PROGRAMS.map(program => join(dist, program)), ...startedModules()],
  outdir: dist,
  outbase: dist,
  allowOverwrite: true,
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  platform: 'node',
  format: 'esm',
  target: 'node20.20',
  external: PACKAGES,
  legalComments: 'inline',
  metafile: true,
  plugins: [ownPlace],
  logLevel: 'warning',
  banner: {
    js: [
      "import { createRequire as createRequireHere } from 'node:module';",
      'const require = createRequireHere(import.meta.url);',
      "const distUrl = import.meta.url.slice(0, import.meta.url.lastIndexOf('/dist/') + '/dist/'.length);",
    ].join('\n'),
  },
});

writeFileSync(join(dist, 'LICENSES.txt'), licencesOf(Object.keys(metafile.inputs)));

/** Whose code the chunks contain, and on what terms: a licence goes with every copy. */
function licencesOf(inputs) {
  const folders = new Set(inputs.flatMap(path => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []));
  return [...folders]
    .map(folder => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const file = readdirSync(folder).find(entry => /^licen[cs]e/i.test(entry));
      const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8').trim();
      return `${name} ${version}, ${license}\n\n${text}\n`;
    })
    .sort()
    .join(`\n${'-'.repeat(80)}\n\n`);
}

function startedModules() {
  const modules = readdirSync(dist, { recursive: true })
    .filter(name => name.endsWith('.js'))
    .map(name => join(dist, name));
  return modules.flatMap(path =>
    [...readFileSync(path, 'utf8').matchAll(STARTED)].map(([, name]) => join(dirname(path), `${name}.js`)),
  );
}
