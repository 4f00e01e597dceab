// layertap verify: proves that no row of a run is missing, doubled or damaged.
import { resolve } from 'node:path';
import { outputOptions } from '../../../shared/src/extract-options.ts';
import { openRun, type RunRecord, receiptPath } from '../../../shared/src/run.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { type Damage, verifyRun } from '../../../shared/src/verify-run.ts';
import { defineCommand } from '../command.ts';
import { onlyPositional } from '../positional.ts';

const SHOWN = 20;

export const verify = defineCommand({
  name: 'verify',
  summary: 'Prove that every image of a run is exactly one row of a whole part',
  positionals: 'OUT',
  options: outputOptions,
  async run({ options, positionals }): Promise<number> {
    const storage = openFileStorage(resolve(onlyPositional('verify', 'OUT', positionals)));
    const run = await openRun(storage);
    const { rows, ok, failed, damages } = await verifyRun(storage, run);
    if (options.json) {
      process.stdout.write(
        `${JSON.stringify({ out: storage.root, clean: damages.length === 0, rows, ok, failed, damages })}\n`,
      );
    } else if (damages.length === 0) {
      process.stdout.write(
        `clean: ${rows} images, each exactly one row (${ok} ok, ${failed} failed), ${run.shards} shards\n`,
      );
    } else {
      const lines = damages.slice(0, SHOWN).map(({ message }) => `  ${message}`);
      if (damages.length > SHOWN) lines.push(`  … and ${damages.length - SHOWN} more (--json lists all)`);
      lines.push(...repairOf(run, damages, storage.root));
      process.stdout.write(
        `${damages.length} ${damages.length === 1 ? 'thing is' : 'things are'} wrong:\n${lines.join('\n')}\n`,
      );
    }
    return damages.length === 0 ? 0 : 1;
  },
});

/** A shard without a receipt is done again: that is how a damaged one is repaired. */
function repairOf(run: RunRecord, damages: readonly Damage[], out: string): readonly string[] {
  const shards = [...new Set(damages.flatMap(({ shard }) => shard ?? []))].slice(0, SHOWN);
  if (shards.length === 0) return [];
  const receipts = shards.map(shard => receiptPath(run, shard)).join(' ');
  return [`To do these shards again: (cd ${out} && rm -f ${receipts}) && npx layertap resume ${out}`];
}
