// Finds a Python interpreter and pip, for the pieces of the set-up that come from the Python registry.

import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { findProgram, runCommand } from './command.ts';
import { setupConfig } from './config.ts';

export interface Python {
  readonly command: string;
  /** For example 3.11.2. */
  readonly version: string;
}

export async function findPython(): Promise<Python | undefined> {
  for (const command of setupConfig().pythons) {
    if (!findProgram(command)) continue;
    const asked = await runCommand(command, ['-c', 'import platform; print(platform.python_version())'], {
      timeoutMs: 120_000,
    });
    if (asked.ok && asked.stdout.startsWith('3.')) return { command, version: asked.stdout.trim() };
  }
  return undefined;
}

/** The command line that starts pip: the interpreter's own module first, then a program of that name. */
export async function findPip(): Promise<readonly string[] | undefined> {
  const candidates = [...setupConfig().pythons.map(python => [python, '-m', 'pip']), ['pip3'], ['pip']];
  for (const [command = '', ...before] of candidates) {
    if (!findProgram(command)) continue;
    const asked = await runCommand(command, [...before, '--version'], { timeoutMs: 120_000 });
    if (asked.ok) return [command, ...before];
  }
  return undefined;
}

const SYSTEM_CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/**
 * Variables for pip. Debian's trusts the certificates of the system alone, and a slim image has none: there it gets
 * those that Node trusts, in a file in `folder`.
 */
export async function pipEnvironment(folder: string): Promise<Readonly<Record<string, string>>> {
  const { pipCertificates, extraCertificates } = setupConfig();
  if (process.platform !== 'linux' || pipCertificates !== undefined || existsSync(SYSTEM_CERTIFICATES)) return {};
  const extra = extraCertificates === undefined ? '' : await readFile(extraCertificates, 'utf8').catch(() => '');
  const file = join(folder, 'certificates.pem');
  await writeFile(file, [...rootCertificates, extra].join('\n'));
  return { PIP_CERT: file };
}
