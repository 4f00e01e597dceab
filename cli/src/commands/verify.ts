// layertap verify: proves that no row of a run is missing, doubled or damaged.
import { resolve } from 'node:path';
import { z } from 'zod';
import { fitAdvice } from '../../../shared/src/advice.ts';
import type { Damage, DamageCode } from '../../../shared/src/damage.ts';
import { outputOptions } from '../../../shared/src/extract-options.ts';
import { openRun } from '../../../shared/src/run.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { verifyRun } from '../../../shared/src/verify-run.ts';
import { defineCommand } from '../command.ts';
import { onlyPositional } from '../positional.ts';

const SHOWN = 20;

export const verify = defineCommand({
  name: 'verify',
  summary: 'Prove that every image of a run is exactly one row of a whole part',
  positionals: 'OUT',
  options: {
    deep: z.boolean().default(false).meta({
      description: 'Also every value: features exactly where a row is ok, uri and carried columns as in the manifest',
    }),
    ...outputOptions,
  },
  async run({ options, positionals }): Promise<number> {
    const storage = openFileStorage(resolve(onlyPositional('verify', 'OUT', positionals)));
    const run = await openRun(storage);
    const { damages, ...counts } = await verifyRun(storage, run, { deep: options.deep });
    const { rows, ok, failed, notFinite = 0 } = counts;
    if (options.json) {
      process.stdout.write(
        `${JSON.stringify({ out: storage.root, clean: damages.length === 0, ...counts, damages })}\n`,
      );
    } else if (damages.length === 0) {
      process.stdout.write(
        `clean: ${rows} images, each exactly one row (${ok} ok, ${failed} failed), ${run.shards} shards\n`,
      );
      if (notFinite > 0) process.stdout.write(`${notFinite} features hold values that are NaN or infinite\n`);
    } else {
      const lines = damages.slice(0, SHOWN).map(({ message }) => `  ${message}`);
      if (damages.length > SHOWN) lines.push(`  … and ${damages.length - SHOWN} more (--json lists all)`);
      lines.push(...repairOf(damages, storage.root));
      process.stdout.write(
        fitAdvice(
          `${damages.length} ${damages.length === 1 ? 'thing is' : 'things are'} wrong:\n${lines.join('\n')}\n`,
        ),
      );
    }
    return damages.length === 0 ? 0 : 1;
  },
});

/** What `resume` finds by the sizes of the files alone. */
const SEEN_BY_SIZE: ReadonlySet<DamageCode> = new Set<DamageCode>([
  'receipt-missing',
  'receipt-damaged',
  'receipt-foreign',
  'receipt-counts',
  'part-missing',
  'part-shared',
  'part-unnamed',
  'compiled-damaged',
]);

function repairOf(damages: readonly Damage[], out: string): readonly string[] {
  if (damages.some(({ code }) => code === 'record-changed' || code.startsWith('manifest-')))
    return ['Restore run.json and the manifest folder, or start the run again in an empty directory.'];
  const flag = damages.some(({ code }) => code === 'part-values')
    ? ' --deep'
    : damages.every(({ code }) => SEEN_BY_SIZE.has(code))
      ? ''
      : ' --verify';
  return [`To do exactly these shards again: npx layertap resume ${out}${flag}`];
}
