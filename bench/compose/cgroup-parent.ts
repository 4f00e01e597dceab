// One control group for all containers of the benchmark: a group shares the processors with others as one, however many
// containers it has, so what is measured side by side must lie in one.
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../setup/src/command.ts';

export interface CgroupParent {
  /** For `cgroup_parent` of compose and `--cgroup-parent`. */
  readonly name: string;
  remove(): void;
}

const ROOT = '/sys/fs/cgroup';

export async function openCgroupParent(name: string): Promise<CgroupParent> {
  const info = await runCommand('docker', ['info', '--format', '{{.CgroupDriver}}'], { timeoutMs: 10_000 });
  // systemd removes a slice by itself.
  if (info.stdout.trim() === 'systemd') return { name: `${name.replaceAll('-', '_')}.slice`, remove: () => undefined };
  return {
    name: `/${name}`,
    remove(): void {
      // Version 1 has a folder for each controller, version 2 one alone.
      const folders = existsSync(ROOT) ? [ROOT, ...readdirSync(ROOT).map(entry => join(ROOT, entry))] : [];
      for (const folder of folders.map(folder => join(folder, name)).filter(folder => existsSync(folder))) {
        rmdirSync(folder);
      }
    },
  };
}
