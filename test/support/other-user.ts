// A user without rights of its own, for what root may do and others may not.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const NOBODY = 65_534;

/**
 * How to run a program as a user whom permissions bind: as it is where the tests have no root's rights, else as nobody.
 * Undefined where nobody cannot even reach this checkout or Node's binary, in a home directory of root's for example.
 */
export function otherUser(): { readonly user?: number } | undefined {
  if (process.getuid?.() !== 0) return {};
  const main = fileURLToPath(new URL('../../dist/cli/src/main.js', import.meta.url));
  const { status } = spawnSync(process.execPath, [main, '--version'], { uid: NOBODY, gid: NOBODY, stdio: 'ignore' });
  return status === 0 ? { user: NOBODY } : undefined;
}
