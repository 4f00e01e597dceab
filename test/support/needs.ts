// What a test needs that a machine may lack. The reason stands at the end of the test's title, and skip-reporter.ts counts by it.

import { beforeEach, inject } from 'vitest';
import { findProgram } from '../../setup/src/command.ts';
import { setupConfig } from '../../setup/src/config.ts';
import { tensorFlowStatus } from '../../setup/src/tensorflow-library.ts';
import type {} from '../global-setup.ts';

/** Each answers with what is lacking, in few words, or with undefined. */
const NEEDS = {
  'apt-get': () => program('apt-get'),
  linux: () => (process.platform === 'linux' ? undefined : 'not Linux'),
  openssl: () => program('openssl'),
  prlimit: () => program('prlimit'),
  root: () => (process.getuid?.() === 0 ? undefined : 'root alone may give files to others'),
  'a group of its own': () => (process.getuid?.() === process.getgid?.() ? undefined : 'a group with other users'),
  /** With the packages of python.ts. */
  python: () => (inject('python').ready ? undefined : 'no Python'),
  tensorflow: whyNoTensorFlow,
  'user without rights': () => (process.getuid?.() === 0 ? 'root may read and write everything' : undefined),
} as const satisfies Readonly<Record<string, () => string | undefined>>;

export type Need = keyof typeof NEEDS;

/**
 * Why a test can't run here, for `skipIf` and `because`:
 *
 *   const lack = whyNot('openssl');
 *   test.skipIf(lack)(`a Redis that speaks TLS${because(lack)}`, …);
 */
export function whyNot(...needs: readonly Need[]): string | undefined {
  for (const need of needs) {
    const lack = NEEDS[need]();
    if (lack !== undefined) return lack;
  }
  return undefined;
}

/** For the top of a file, or of a suite, all of whose tests need something. */
export function skipAllWithout(...needs: readonly Need[]): void {
  beforeEach(context => {
    const lack = whyNot(...needs);
    if (lack !== undefined) context.skip(lack);
  });
}

/** The end of the title of a test that is skipped where there is a reason. */
export function because(reason: string | undefined): string {
  return reason === undefined ? '' : ` (skipped: ${reason})`;
}

function program(name: string): string | undefined {
  return findProgram(name) === undefined ? `no ${name}` : undefined;
}

function whyNoTensorFlow(): string | undefined {
  const { tensorFlow, compilers } = setupConfig();
  if (tensorFlowStatus().available) return undefined;
  if (tensorFlow === 'off') return 'TensorFlow is switched off';
  // Its library is built here wherever a prebuilt one can't be had.
  return compilers.some(name => findProgram(name)) ? 'no TensorFlow' : 'no C++ compiler';
}
