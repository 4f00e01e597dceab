// A process of its own that gives up root's rights and prints what each way to write into a closed folder ends with.
import { chmodSync } from 'node:fs';
import { Refusal } from '../../shared/src/errors.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';

const NOBODY = 65_534;
const folder = process.argv[2] ?? '';
const storage = openFileStorage(folder);
const bytes = new Uint8Array(1);
const writes = [
  ['replace', () => storage.replace('a', bytes)],
  ['createOnce', () => storage.createOnce('a', bytes)],
  ['stage', () => storage.stage('.')],
] as const;

chmodSync(folder, 0o555);
if (process.getuid?.() === 0) process.setuid?.(NOBODY);
const results: unknown[] = [];
for (const [name, write] of writes) {
  try {
    await write();
    results.push({ name });
  } catch (error) {
    results.push(error instanceof Refusal ? { name, code: error.code, message: error.message } : String(error));
  }
}
process.stdout.write(JSON.stringify(results));
