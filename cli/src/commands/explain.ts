// layertap explain: what became of one image, who did it and when, and where its row stands.
import { resolve } from 'node:path';
import { Refusal } from '../../../shared/src/errors.ts';
import { explainSample, type SampleHistory } from '../../../shared/src/explain-sample.ts';
import { outputOptions } from '../../../shared/src/extract-options.ts';
import { type Doing, STAGES } from '../../../shared/src/receipt.ts';
import { openRun, shardName } from '../../../shared/src/run.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { defineCommand } from '../command.ts';
import { twoPositionals } from '../positional.ts';

export const explain = defineCommand({
  name: 'explain',
  summary: 'Tell the history of one image of a run: shard, worker, times, versions, error, file',
  positionals: 'OUT SAMPLE',
  options: outputOptions,
  async run({ options, positionals }): Promise<number> {
    const [out, name] = twoPositionals('explain', ['OUT', 'SAMPLE'], positionals);
    const storage = openFileStorage(resolve(out));
    const run = await openRun(storage);
    const history = await explainSample(storage, run, name);
    if (history === undefined) {
      throw new Refusal(
        'unknown-sample',
        `Expected a sample_id or uri of the ${run.manifest.rows} in '${out}' but received '${name}'`,
        {
          hint: `The manifest folder lists them all; \`npx layertap show ${out}\` shows some.`,
        },
      );
    }
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ out: storage.root, ...history }, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}\n`
        : `${describe(history, shardName(run, history.shard))}\n`,
    );
    return 0;
  },
});

function describe(history: SampleHistory, shard: string): string {
  const { done, error, image } = history;
  const carried = Object.entries(history.carried).map(([name, value]) => `${name} ${value}`);
  const lines: readonly (readonly [name: string, value: string | undefined])[] = [
    ['sample', history.sampleId],
    ['uri', history.uri],
    ['carried', carried.length === 0 ? undefined : carried.join(', ')],
    ['state', error === null ? history.state : `failed: ${error.code}: ${error.message}`],
    ['image', image?.width == null ? undefined : `${image.width} × ${image.height}, sha256 ${image.sha256}`],
    ['row', `${history.row} of the manifest, ${history.rowInShard} of shard ${shard}`],
    ...history.files.map(({ path, row }) => ['file', `${path}, row ${row}`] as const),
    ...history.features.map(
      ({ column, shape, there }) => ['feature', `${column} [${shape.join(' × ')}]${there ? '' : ': none'}`] as const,
    ),
    ...(done === null ? [] : doneLines(done)),
    ...history.retries.map(retry => ['again', describeDoing(retry)] as const),
    ...history.added.map(added => ['added', `${added.columns.join(', ')}: ${describeDoing(added)}`] as const),
  ];
  return lines.flatMap(([name, value]) => (value === undefined ? [] : `${name.padEnd(8)} ${value}`)).join('\n');
}

function doneLines(done: NonNullable<SampleHistory['done']>): readonly (readonly [string, string])[] {
  const { attempt, worker, cpu, versions, finishedAt, seconds, totalSeconds } = done;
  const stages = STAGES.map(stage => `${stage} ${seconds[stage].toFixed(2)}`).join(', ');
  return [
    ['done', `${finishedAt}, attempt ${attempt}, by ${worker.host}/${worker.name} (process ${worker.pid})`],
    ['seconds', `${totalSeconds.toFixed(2)} for the shard: ${stages}`],
    ['versions', versionsOf(versions)],
    ['cpu', cpu],
  ];
}

function describeDoing({ finishedAt, worker, versions }: Doing): string {
  return `${finishedAt} by ${worker.host}/${worker.name} (process ${worker.pid}), ${versionsOf(versions)}`;
}

function versionsOf(versions: Readonly<Record<string, string>>): string {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}
