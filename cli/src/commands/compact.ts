// layertap compact: few large files out of a run's many small ones; each row stays what and where it is in the order.
import { z } from 'zod';
import { compactRun } from '../../../services/worker/src/compact-run.ts';
import { formatBytes, parseBytes } from '../../../shared/src/byte-size.ts';
import { outputOptions } from '../../../shared/src/extract-options.ts';
import { finishRun, summarizeRun } from '../../../shared/src/finish-run.ts';
import { defineCommand } from '../command.ts';
import { openStandingRun } from '../standing-run.ts';

const fileSize = z
  .string()
  .default('1GB')
  .transform((text, context) => {
    const bytes = parseBytes(text);
    if (bytes !== undefined && bytes > 0) return bytes;
    context.addIssue('an amount such as 1GB or 200MB');
    return z.NEVER;
  })
  .meta({ description: 'What a file grows up to; one of at least half of it stays as it is', value: 'BYTES' });

export const compact = defineCommand({
  name: 'compact',
  summary: 'Make few large files out of the many small ones of a run',
  positionals: 'OUT',
  options: { fileSize, ...outputOptions },
  async run({ options, positionals }): Promise<number> {
    const { storage, run } = await openStandingRun('compact', positionals);
    const before = await summarizeRun(storage, run);
    const moved = await compactRun(storage, run, { fileBytes: options.fileSize });
    const after = (await finishRun(storage, run)) ?? (await summarizeRun(storage, run));
    const result = { filesBefore: before.files, files: after.files, bytes: after.bytes, shards: moved };
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ out: storage.root, ...result })}\n`
        : `${before.files} files became ${after.files}, ${formatBytes(after.bytes)}; ${moved} of ${run.shards} shards moved\n`,
    );
    return 0;
  },
});
