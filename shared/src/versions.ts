// Versions and machine facts that every run and receipt records, since they can change a feature's last bits.
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const PackageFile = z.looseObject({ name: z.string(), version: z.string() });

/** The folder that holds layertap's package.json: the checkout, or node_modules/layertap. */
export function packageRoot(): URL {
  for (let folder = new URL('./', import.meta.url); folder.pathname !== '/'; folder = new URL('../', folder)) {
    try {
      const text = readFileSync(fileURLToPath(new URL('package.json', folder)), 'utf8');
      if (PackageFile.parse(JSON.parse(text)).name === 'layertap') return folder;
    } catch {
      // No package.json here: the next folder up may have it.
    }
  }
  throw new Error("Expected layertap's package.json above its own modules");
}

export function layertapVersion(): string {
  return PackageFile.parse(JSON.parse(readFileSync(fileURLToPath(new URL('package.json', packageRoot())), 'utf8')))
    .version;
}

export function commonVersions(): Readonly<Record<string, string>> {
  return { layertap: layertapVersion(), node: process.versions.node };
}

/** What made something: each library with its version. */
type Versions = Readonly<Record<string, string>>;

/** What of a receipt tells what made the columns of its shard. */
interface Made {
  readonly versions: Versions;
  readonly added?: readonly { readonly versions: Versions }[] | undefined;
}

/** Adds to the versions of each library those that made the columns of a shard. */
export function collectVersions(all: Map<string, Set<string>>, { versions, added = [] }: Made): void {
  for (const each of [versions, ...added.map(({ versions }) => versions)])
    for (const [name, version] of Object.entries(each)) all.set(name, (all.get(name) ?? new Set()).add(version));
}

/** Of each library all versions that made the columns of some shards, as one text. */
export function allVersions(receipts: readonly Made[]): Versions {
  const merged = new Map<string, Set<string>>();
  for (const receipt of receipts) collectVersions(merged, receipt);
  return Object.fromEntries([...merged].map(([name, set]) => [name, [...set].sort().join(', ')]));
}

/** Model and count of the processors, such as "AMD EPYC 7763 × 8". */
export function cpuName(): string {
  const list = cpus();
  return `${list[0]?.model.trim() ?? 'unknown'} × ${list.length}`;
}
