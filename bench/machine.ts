// What the figures depend on: processor, memory, load, versions and commit. For the report.
import { availableParallelism, loadavg, release, totalmem, type } from 'node:os';
import { runCommand } from '../setup/src/command.ts';
import { formatBytes } from '../shared/src/byte-size.ts';
import { cpuName } from '../shared/src/versions.ts';

/** Below it a machine counts as quiet. */
const QUIET_LOAD = 0.5;

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

/** Of every report: what the figures come from, and a warning where others were at work. */
export function machineLines(machine: Machine, date: string): readonly string[] {
  const { cpu, cores, memoryBytes, system, node, load, commit } = machine;
  const processors = `${cores} core${cores === 1 ? '' : 's'}`;
  return [
    `${cpu} (${processors}, ${formatBytes(memoryBytes)}), ${system}, Node ${node}, commit ${commit}, ${date}`,
    ...(load < QUIET_LOAD
      ? []
      : [`NOISY: ${load.toFixed(1)} processes wanted one of the ${processors} before this began`]),
  ];
}
