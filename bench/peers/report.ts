// The table of the comparison: per cell and peer the median speed, what it is of ours, bytes and memory. For main.ts.
import { formatBytes } from '../../shared/src/byte-size.ts';
import { type Machine, machineLines } from '../machine.ts';
import { ratioSpread, spreadOf } from '../statistics.ts';
import { CELLS, type Cell } from './cells.ts';
import { OURS, PEERS, type Peer } from './peers.ts';
import type { PeerResult } from './results.ts';

export interface PeerReport {
  readonly results: readonly PeerResult[];
  /** Why a peer could not be had, by its key. */
  readonly missing: ReadonlyMap<string, string>;
  readonly machine: Machine;
  readonly date: string;
}

export function formatPeers({ results, missing, machine, date }: PeerReport): string {
  return [
    '',
    ...machineLines(machine, date),
    '',
    ...CELLS.flatMap(cell =>
      cellTable(
        cell,
        results.filter(result => result.cell === cell.key),
      ),
    ),
    ...[...missing].map(([key, reason]) => `- not had: ${key}: ${reason}`),
    ...versionsOf(results),
    '',
  ].join('\n');
}

function cellTable(cell: Cell, results: readonly PeerResult[]): readonly string[] {
  if (results.length === 0) return [];
  const speedsOf = (peer: string): readonly (number | undefined)[] => {
    const rounds = Math.max(...results.map(({ round }) => round)) + 1;
    return Array.from({ length: rounds }, (_, round) => {
      const found = results.find(result => result.peer === peer && result.round === round);
      return found && found.images / found.seconds;
    });
  };
  const rows = PEERS.flatMap(peer => {
    const own = results.filter(result => result.peer === peer.key);
    if (own.length === 0) return [];
    return [rowOf(peer, own, speedsOf)];
  });
  return [
    `### ${results[0]?.images} ${cell.title}`,
    '',
    '| | images/s, whole process | fast ÷ it | exact ÷ it | on disk | peak memory |',
    '|---|---:|---:|---:|---:|---:|',
    ...rows,
    '',
  ];
}

function rowOf(
  peer: Peer,
  own: readonly PeerResult[],
  speedsOf: (peer: string) => readonly (number | undefined)[],
): string {
  const ratios = OURS.map(ours => ratioSpread(speedsOf(ours), speedsOf(peer.key))?.median.toFixed(2) ?? '');
  const speed = spreadOf(own.map(({ images, seconds }) => images / seconds))?.median.toFixed(1) ?? '';
  const bytes = formatBytes(own.at(-1)?.bytes ?? 0);
  const peak = formatBytes(Math.max(...own.map(({ peakBytes }) => peakBytes)));
  return `| ${[peer.title, speed, ...ratios, bytes, peak].join(' | ')} |`;
}

function versionsOf(results: readonly PeerResult[]): readonly string[] {
  const versions = new Map(results.flatMap(result => Object.entries(result.versions)));
  return versions.size === 0 ? [] : [`- versions: ${[...versions].map(entry => entry.join(' ')).join(', ')}`];
}
