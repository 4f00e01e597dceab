// Versions and machine facts of runs and receipts.
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { describe, expect, it } from 'vitest';
import { commonVersions, cpuName, layertapVersion, packageRoot } from '../../shared/src/versions.ts';

describe('versions', () => {
  it('are those of package.json and of this Node.js', async () => {
    const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
    expect(layertapVersion()).toBe((JSON.parse(text) as { readonly version: string }).version);
    expect(commonVersions()).toEqual({ layertap: layertapVersion(), node: process.versions.node });
  });

  it('come from the folder of this checkout', () => {
    expect(packageRoot().href).toBe(new URL('../../', import.meta.url).href);
  });

  it('name the processor and how many there are', () => {
    expect(cpuName()).toMatch(new RegExp(`^\\S.* × ${cpus().length}$`));
  });
});
