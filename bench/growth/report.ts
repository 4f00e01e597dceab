// The results of bench:growth as text.
import { formatBytes } from '../../shared/src/byte-size.ts';
import { type Machine, machineLines } from '../machine.ts';
import type { QueueGrowth } from './queue.ts';
import type { RowsGrowth } from './rows.ts';

export interface Growth {
  readonly machine: Machine;
  readonly date: string;
  readonly rows: readonly RowsGrowth[];
  readonly queue: QueueGrowth;
}

export function formatGrowth({ machine, date, rows, queue }: Growth): string {
  return [
    '',
    ...machineLines(machine, date),
    '',
    '| rows | images | shards | ms of work a row | ms before and after, a row | peak of the parent | peak of an engine process | manifest bytes a row |',
    '|---:|---|---:|---:|---:|---:|---:|---:|',
    ...rows.map(
      row =>
        `| ${row.rows} | ${row.kind === 'null' ? 'none' : 'real'} | ${row.shards} | ${row.perRow.toFixed(3)} | ${row.aroundPerRow.toFixed(3)} | ${formatBytes(row.parentBytes)} | ${formatBytes(row.engineBytes)} | ${row.manifestBytes.toFixed(1)} |`,
    ),
    '',
    `${queue.shards} shards through Redis without work: queued at ${Math.round(queue.enqueuedPerSecond)} a second, ${Math.round(queue.bytesPerShard)} bytes of Redis' memory each while waiting`,
    '',
    '| workers | shards taken and done a second | ms of processor time a shard |',
    '|---:|---:|---:|',
    ...queue.consumers.map(
      ({ workers, shardsPerSecond, perShard }) =>
        `| ${workers} | ${Math.round(shardsPerSecond)} | ${perShard.toFixed(2)} |`,
    ),
    '',
  ].join('\n');
}
