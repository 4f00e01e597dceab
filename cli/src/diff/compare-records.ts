// Why the features of two runs may differ: what was asked for, of which images, and with what it was computed.
import type { RunSummary } from '../../../shared/src/finish-run.ts';
import { modelsOf } from '../../../shared/src/request.ts';
import type { RunRecord } from '../../../shared/src/run.ts';

/** One thing that is not the same, as JSON text or undefined where a run has none. */
export interface RecordDifference {
  readonly subject: 'source' | 'model' | 'layers' | 'recipe' | 'engine' | 'storage' | 'versions';
  readonly name: string;
  readonly one: string | undefined;
  readonly other: string | undefined;
  /** Whether it decides a feature, or only where it comes from and how it is stored. */
  readonly deciding: boolean;
}

export interface RunFacts {
  readonly run: RunRecord;
  readonly summary: Pick<RunSummary, 'versions'>;
  readonly cpus: readonly string[];
}

type Fact = readonly [subject: RecordDifference['subject'], name: string, value: unknown, deciding: boolean];

export function compareRecords(one: RunFacts, other: RunFacts): readonly RecordDifference[] {
  const facts = [factsOf(one), factsOf(other)].map(list => new Map(list.map(fact => [fact[1], fact])));
  const names = new Set(facts.flatMap(map => [...map.keys()]));
  return [...names].flatMap((name): RecordDifference[] => {
    const [a, b] = facts.map(map => map.get(name));
    const [before, after] = [a, b].map(fact => JSON.stringify(fact?.[2]));
    const known = a ?? b;
    if (before === after || known === undefined) return [];
    return [{ subject: known[0], name, one: before, other: after, deciding: known[3] }];
  });
}

function factsOf({ run, summary, cpus }: RunFacts): readonly Fact[] {
  const { request } = run;
  const models = modelsOf(request);
  return [
    ['source', 'source', run.source, false],
    ['source', 'limit', run.limit, false],
    ['source', 'manifest', `${run.manifest.rows} rows, ${run.manifest.digest.slice(0, 12)}`, false],
    ...models.flatMap((model, index): Fact[] => {
      const prefix = models.length === 1 ? '' : `${model.modelName ?? index}/`;
      return [
        ['model', `${prefix}model`, model.model, false],
        ['model', `${prefix}modelSha256`, model.modelSha256, true],
        ['layers', `${prefix}layers`, model.layers, true],
        ['layers', `${prefix}predictions`, model.predictions, true],
        ...Object.entries(model.recipe).map(([key, value]): Fact => ['recipe', `${prefix}recipe.${key}`, value, true]),
        ['engine', `${prefix}engine`, model.engine, true],
        ['engine', `${prefix}lowering`, model.lowering, true],
      ];
    }),
    ['layers', 'pool', request.pool, true],
    ['layers', 'normalize', request.normalize, true],
    ['storage', 'dtype', request.dtype, true],
    // Another batch may change last bits, no more.
    ['engine', 'batch', request.batch, false],
    ['storage', 'format', request.format, false],
    ['storage', 'tensors', request.tensors, false],
    ['storage', 'partSchema', run.partSchema, false],
    ['storage', 'shardSize', run.shardSize, false],
    ...Object.entries(summary.versions).map(([name, list]): Fact => ['versions', `${name} version`, list, false]),
    ['versions', 'cpu', cpus, false],
  ];
}
