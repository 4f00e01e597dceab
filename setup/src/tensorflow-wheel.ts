// Takes TensorFlow's shared libraries and C headers out of one pinned Python wheel and builds tfjs-node's binding against them.

import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolders } from '../../shared/src/make-folders.ts';
import { describeFailure, findProgram, runCommand } from './command.ts';
import { setupConfig, unpackedCompiler } from './config.ts';
import { sha256File } from './download.ts';
import { watchFolder } from './progress.ts';
import { findPip, pipEnvironment } from './python.ts';
import { compileBinding, findCompiler, type TfjsNode } from './tensorflow-binding.ts';

export const WHEEL_VERSION = '2.21.0';

export interface FillOptions {
  /** Folder to fill: `deps/lib` gets the libraries, `lib/napi-v8` the binding. */
  readonly draft: string;
  readonly tfjsNode: TfjsNode;
  readonly log: (line: string) => void;
}

/** One file of the Python registry, whatever Python runs here: only its libraries are used. */
interface WheelPin {
  readonly distribution: string;
  readonly platform: string;
  readonly sha256: string;
  readonly bytes: number;
  /** Size of what is unpacked, for the progress bar. */
  readonly unpackedBytes: number;
}

const WHEELS: Readonly<Record<string, WheelPin>> = {
  'linux-x64': {
    distribution: 'tensorflow-cpu',
    platform: 'manylinux_2_27_x86_64',
    sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
    bytes: 273_829_956,
    unpackedBytes: 853_600_000,
  },
  'linux-arm64': {
    distribution: 'tensorflow',
    platform: 'manylinux_2_27_aarch64',
    sha256: '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c',
    bytes: 281_828_020,
    unpackedBytes: 883_400_000,
  },
};

/** Unpacks the two libraries and the few headers that the C API includes; 13,000 further headers stay packed. */
const UNPACK = `
import os, shutil, sys, zipfile
wheel, lib, include = sys.argv[1:4]
prefix = 'tensorflow/include/'
headers = tuple(prefix + name for name in ('tensorflow/c/', 'tensorflow/core/platform/ctstring', 'tsl/platform/ctstring', 'xla/tsl/c/'))
with zipfile.ZipFile(wheel) as archive:
    for info in archive.infolist():
        name = info.filename
        if name in ('tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2'):
            target = os.path.join(lib, os.path.basename(name))
        elif name.startswith(headers) and name.endswith('.h'):
            target = os.path.join(include, name[len(prefix):])
        else:
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with archive.open(info) as source, open(target, 'wb') as out:
            shutil.copyfileobj(source, out, 1 << 20)
`;

export async function fillFromWheel({ draft, tfjsNode, log }: FillOptions): Promise<void> {
  const pin = WHEELS[`${process.platform}-${process.arch}`];
  if (!pin) throw new Error(`there is no pinned wheel for ${process.platform} on ${process.arch}`);
  if (isMusl()) throw new Error('the wheel needs glibc 2.27 or newer, and this system has another C library');
  const compiler = await findCompiler();
  if (!compiler) {
    const { compilers, installedRoot } = setupConfig();
    const tried = compilers.filter(name => name !== unpackedCompiler(installedRoot)).join(', ');
    throw new Error(`no C++ compiler was found (tried ${tried}); install g++, or name one in \`CXX\``);
  }
  const wheel = await fetchWheel(pin, draft, log);
  const started = performance.now();
  const lib = join(draft, 'deps', 'lib');
  const include = join(draft, 'include');
  await makeFolders(lib);
  await unpack(wheel, lib, include, pin);
  log(`unpacked TensorFlow's two libraries (${seconds(started)})`);
  const compiling = performance.now();
  await compileBinding({ compiler, include, lib, draft, tfjsNode });
  log(`compiled tfjs-node's binding with ${compiler} (${seconds(compiling)})`);
  for (const spent of ['include', 'wheel', 'pip']) await rm(join(draft, spent), { recursive: true, force: true });
}

async function fetchWheel(pin: WheelPin, draft: string, log: (line: string) => void): Promise<string> {
  const started = performance.now();
  const pip = await findPip();
  if (!pip) throw new Error('pip was not found; install it (Debian: python3-pip)');
  const folder = join(draft, 'wheel');
  // pip downloads below TMPDIR before it saves: inside the draft its size can be watched, and it is removed with it.
  const temporary = join(draft, 'pip');
  await makeFolders(temporary);
  const pins = join(draft, 'pip', 'pins.txt');
  await writeFile(pins, `${pin.distribution}==${WHEEL_VERSION} --hash=sha256:${pin.sha256}\n`);
  const target = ['--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311', '--platform', pin.platform];
  const args = [
    ...['download', '--no-deps', '--only-binary', ':all:', ...target, '--require-hashes', '-r', pins, '-d', folder],
    ...['--disable-pip-version-check', '--progress-bar', 'off', '--timeout', '10', '--retries', '1', '--no-input'],
  ];
  const [command = '', ...before] = pip;
  const certificates = await pipEnvironment(temporary);
  const label = `downloading TensorFlow ${WHEEL_VERSION}`;
  const result = await watchFolder(temporary, { label, totalBytes: pin.bytes }, () =>
    runCommand(command, [...before, ...args], { env: { ...certificates, TMPDIR: temporary }, timeoutMs: 1_800_000 }),
  );
  if (!result.ok) {
    // Without a network, too, pip ends with "No matching distribution".
    throw new Error(`${describeFailure(`${pip.join(' ')} download`, result)}; check the network and pip's index`);
  }
  const name = (await readdir(folder)).find(entry => entry.endsWith('.whl'));
  if (!name) throw new Error('pip ended well but saved no wheel');
  const wheel = join(folder, name);
  const sha256 = await sha256File(wheel);
  if (sha256 !== pin.sha256) throw new Error(`Expected sha256 ${pin.sha256} for ${name} but received ${sha256}`);
  log(`downloaded TensorFlow ${WHEEL_VERSION}, ${Math.round(pin.bytes / 1e6)} MB (${seconds(started)})`);
  return wheel;
}

async function unpack(wheel: string, lib: string, include: string, pin: WheelPin): Promise<void> {
  const python = setupConfig().pythons.find(name => findProgram(name) !== undefined);
  if (!python) throw new Error('python3 was not found; it unpacks the wheel');
  const result = await watchFolder(lib, { label: 'unpacking TensorFlow', totalBytes: pin.unpackedBytes }, () =>
    runCommand(python, ['-c', UNPACK, wheel, lib, include]),
  );
  if (!result.ok) throw new Error(describeFailure(`${python} (unpacking)`, result));
}

function isMusl(): boolean {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined;
}

function seconds(started: number): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}
