// Replaces two functions of Node's `util` that tfjs-node calls, before tfjs-node is imported: Node 23 removed them, Node 22 warns.

import { createRequire } from 'node:module';

export function applyTfjsNodeShim(): void {
  // The CommonJS object is the one that tfjs-node gets; an ESM namespace couldn't be added to.
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
  util.isNullOrUndefined = (value: unknown): boolean => value === null || value === undefined;
  util.isArray = Array.isArray;
}
