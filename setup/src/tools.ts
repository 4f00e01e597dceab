// What builds TensorFlow's binding and runs the tests' Python: a machine's own tools, else Debian's, unpacked without root's rights.

import { unpackDebianCompiler } from './compiler-debian.ts';
import { setupConfig, unpackedCompiler, unpackedPython } from './config.ts';
import type { UnpackOptions } from './debian-packages.ts';
import { findPip, findPython } from './python.ts';
import { unpackDebianPython } from './python-debian.ts';
import { findCompiler } from './tensorflow-binding.ts';
import { tensorFlowStatus } from './tensorflow-library.ts';

type Log = UnpackOptions['log'];

/** Makes sure of an interpreter and pip. Throws where there are none and none can be unpacked. */
export async function preparePython(log?: Log): Promise<boolean> {
  if ((await findPython()) && (await findPip())) return false;
  // Whoever names an interpreter doesn't want another one.
  if (!setupConfig().pythons.includes(unpackedPython(setupConfig().installedRoot))) return false;
  await unpackDebianPython({ ...(log && { log }) });
  return true;
}

/**
 * Makes sure of what TensorFlow's library is built with, where that isn't ready. Never fails: the build says what it lacks.
 * Returns true where a tool was unpacked, so that an earlier failure says nothing any more.
 */
export async function prepareBuildTools(log?: Log): Promise<boolean> {
  const { tensorFlow, compilers, installedRoot } = setupConfig();
  if (tensorFlowStatus().available || tensorFlow === 'off' || tensorFlow === 'prebuilt') return false;
  const attempts = [
    preparePython(log),
    (async () => {
      if ((await findCompiler()) || !compilers.includes(unpackedCompiler(installedRoot))) return false;
      await unpackDebianCompiler({ ...(log && { log }) });
      return true;
    })(),
  ];
  let unpacked = false;
  for (const attempt of await Promise.allSettled(attempts)) {
    if (attempt.status === 'fulfilled') unpacked ||= attempt.value;
    else log?.(attempt.reason instanceof Error ? attempt.reason.message : String(attempt.reason));
  }
  return unpacked;
}
