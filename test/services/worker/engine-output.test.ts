// What a person sees of an engine process' output.
import { fork } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

it('drops what TensorFlow says at every start and passes everything else to standard error', async () => {
  const folder = await temporaryFolder();
  const chatty = join(folder, 'chatty.mjs');
  await writeFile(
    chatty,
    `process.stdout.write('on stdout\\n');
     process.stderr.write('WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n');
     process.stderr.write('I0000 00:00:1 2 port.cc:153] oneDNN custom operations are on. You may see\\n');
     process.stderr.write('a real error');`,
  );
  const parent = join(folder, 'parent.mjs');
  const module = compiledUrl('../../../services/worker/src/engine-output.ts', import.meta.url);
  await writeFile(
    parent,
    `import { fork } from 'node:child_process';
     import { passOutputOn } from ${JSON.stringify(module.href)};
     const child = fork(${JSON.stringify(chatty)}, [], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
     passOutputOn([child.stdout, child.stderr]);`,
  );
  const seen = await outputOf(parent);
  expect(seen.stdout).toBe('');
  expect(seen.stderr.trim().split('\n').sort()).toEqual(['a real error', 'on stdout']);
});

async function outputOf(script: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const child = fork(script, [], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', chunk => {
    stdout += chunk;
  });
  child.stderr?.on('data', chunk => {
    stderr += chunk;
  });
  await new Promise(resolve => child.once('close', resolve));
  return { stdout, stderr };
}
