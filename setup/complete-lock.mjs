// Adds to package-lock.json the optional packages of other platforms that npm left out, so that `npm ci` accepts the file.
//
//   node setup/complete-lock.mjs [LOCK_FILE]      run it after `npm install PACKAGE`
//
// npm drops an optional package that its registry doesn't have, and then `npm ci` refuses the whole lock file. A registry
// that mirrors only some platforms causes this. Their versions are exact in the package that asks for them.

import { readFileSync, writeFileSync } from 'node:fs';

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];

const path = process.argv[2] ?? new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(path, 'utf8'));
const added = complete(lock.packages);
if (added.length > 0) {
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
}
console.log(added.length === 0 ? 'The lock file is complete.' : `Added ${added.join(', ')}.`);

function complete(packages) {
  const names = [];
  for (const [parent, entry] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isLocked(packages, parent, name) || !/^\d+\.\d+\.\d+/.test(version)) continue;
      packages[`node_modules/${name}`] = {
        version,
        ...(entry.dev ? { dev: true } : {}),
        optional: true,
        ...platformOf(name),
      };
      names.push(`${name}@${version}`);
    }
  }
  return names;
}

/** As Node resolves: in the parent's own folder, then in those above it. */
function isLocked(packages, parent, name) {
  for (let folder = parent; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`]) return true;
    if (folder === '') return false;
  }
}

/** From a name such as cli-linux-x64-musl: without it npm would try to install the package here. */
function platformOf(name) {
  const words = name.slice(name.lastIndexOf('/') + 1).split('-');
  const at = words.findIndex(word => SYSTEMS.includes(word));
  if (at < 0) return {};
  return {
    os: [words[at]],
    ...(words[at + 1] ? { cpu: [words[at + 1]] } : {}),
    ...(words.includes('musl') ? { libc: ['musl'] } : {}),
  };
}
