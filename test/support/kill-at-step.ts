// Starts killed-at-step.ts on a run directory.
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../setup/src/command.ts';
import { builtProgram } from './built-program.ts';
import type { KillOrders } from './killed-at-step.ts';

const script = fileURLToPath(await builtProgram('killed-at-step.ts'));

/** The number of steps where it came to its end, undefined where it was killed. */
export async function killAtStep(orders: KillOrders): Promise<number | undefined> {
  const result = await runCommand(process.execPath, [script, JSON.stringify(orders)]);
  if (result.ok) return Number(result.stdout);
  if (result.stderr !== '') throw new Error(result.stderr);
  return undefined;
}
