// What the figures depend on: processor, memory, load, versions and commit. For the report.
import { availableParallelism, loadavg, release, totalmem, type } from 'node:os';
import { runCommand } from '../setup/src/command.ts';
import { cpuName } from '../shared/src/versions.ts';

export interface Machine {
  readonly cpu: string;
  /** Processors that this process may use. */
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** Processes that wanted a processor over the last minute, before the benchmark began. */
  readonly load: number;
  /** Of the checkout, with `-dirty` where it has changes. */
  readonly commit: string;
}

export async function describeMachine(): Promise<Machine> {
  const commit = await runCommand('git', ['describe', '--always', '--dirty', '--exclude', '*']);
  return {
    cpu: cpuName(),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    load: loadavg()[0] ?? 0,
    commit: commit.ok ? commit.stdout.trim() : 'unknown',
  };
}
