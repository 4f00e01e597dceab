// Takes tfjs-node's own prebuilt library and binding, for machines without pip or without a compiler.

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolders } from '../../shared/src/make-folders.ts';
import { describeFailure, runCommand } from './command.ts';
import { setupConfig } from './config.ts';
import { download } from './download.ts';
import type { TfjsNode } from './tensorflow-binding.ts';
import type { FillOptions } from './tensorflow-wheel.ts';

/** The release that tfjs-node 4.22 names in its install script. */
export const PREBUILT_VERSION = '2.9.1';

/** Files of the libtensorflow archive by platform, as in tfjs-node's scripts/install.js. */
const LIBRARIES: Readonly<Record<string, string>> = {
  'linux-x64': `tensorflow/libtensorflow/libtensorflow-cpu-linux-x86_64-${PREBUILT_VERSION}.tar.gz`,
  'linux-arm64': 'tf-builds/libtensorflow_r2_7_linux_arm64.tar.gz',
  'darwin-x64': `tensorflow/libtensorflow/libtensorflow-cpu-darwin-x86_64-${PREBUILT_VERSION}.tar.gz`,
  'darwin-arm64': 'tf-builds/libtensorflow_r2_7_darwin_arm64_cpu.tar.gz',
};

/**
 * The archives carry no pinned hash: their host publishes none. They are taken over TLS from the host that the
 * installed package names, or from `LAYERTAP_TENSORFLOW_BASE_URL`.
 */
export async function fillFromPrebuilt({ draft, tfjsNode, log }: FillOptions): Promise<void> {
  const library = LIBRARIES[`${process.platform}-${process.arch}`];
  if (!library) throw new Error(`tfjs-node offers none for ${process.platform} on ${process.arch}`);
  const started = performance.now();
  const addon = `tf-builds/pre-built-binary/napi-v8/${tfjsNode.version}/CPU-${process.platform}-${tfjsNode.version}.tar.gz`;
  const base = setupConfig().tensorFlowBaseUrl ?? (await hostOf(tfjsNode));
  // The small archive first: where the host can't be had, this is known in seconds.
  for (const [path, folder] of [
    [addon, join(draft, 'lib', 'napi-v8')],
    [library, join(draft, 'deps')],
  ] as const) {
    const archive = join(draft, 'archive.tar.gz');
    await download({ url: new URL(path, base.endsWith('/') ? base : `${base}/`).href, target: archive });
    await makeFolders(folder);
    // The binding's archive holds one folder around the file, the library's holds lib/ and include/.
    const strip = path === addon ? ['--strip-components=1'] : [];
    const result = await runCommand('tar', ['-xzf', archive, '-C', folder, '--no-same-owner', ...strip]);
    if (!result.ok) throw new Error(describeFailure('tar', result));
    await rm(archive);
  }
  await rm(join(draft, 'deps', 'include'), { recursive: true, force: true });
  log(
    `downloaded tfjs-node's prebuilt TensorFlow ${PREBUILT_VERSION} (${((performance.now() - started) / 1000).toFixed(1)} s)`,
  );
}

/** The host stands in tfjs-node's own install script, so that this project names none. */
async function hostOf(tfjsNode: TfjsNode): Promise<string> {
  const script = await readFile(join(tfjsNode.folder, 'scripts', 'install.js'), 'utf8');
  const host = /BASE_HOST\s*=\s*\w+\s*\|\|\s*'(https:[^']+)'/.exec(script)?.[1];
  if (!host) throw new Error('its install script names no host; give one in `LAYERTAP_TENSORFLOW_BASE_URL`');
  return host;
}
