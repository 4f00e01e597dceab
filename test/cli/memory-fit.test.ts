// `extract` in a real control group whose memory is short: it measures its first engine process before it starts another one.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { usableProcessors } from '../../shared/src/processors.ts';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { run } from '../support/layertap.ts';
import { programPath } from '../support/programs.ts';
import { makeRealGroup } from '../support/real-group.ts';

const demo = useDemoSet();
const reason = usableProcessors() < 2 ? 'one processor gets one process, whatever the memory' : undefined;

describe.skipIf(reason !== undefined)(`extract where memory is short${reason ? ` (skipped: ${reason})` : ''}`, () => {
  it.for<[string, number, number]>([
    ['starts one process where a second does not fit', 310e6, 1],
    ['starts a second one where the first one turns out to be small', 900e6, 2],
  ])('%s', { timeout: 300_000 }, async ([, bytes, processes], context) => {
    const flags = ['--model', DEMO_MODEL, '--layer', 'conv3,features', '--shard-size', '16', '--json'];
    const extract = (out: string): readonly string[] => [
      'extract',
      demo.images,
      ...flags,
      '--out',
      join(demo.root, out),
    ];
    // Compiles the model, for which the group would be too small.
    expect(await run(extract(`before-${processes}`))).toMatchObject({ code: 0 });
    const group = makeRealGroup({ bytes }, 1);
    if ('reason' in group) return context.skip(group.reason);
    const ran = group.run(process.execPath, [programPath('layertap'), ...extract(`in-group-${processes}`)]);
    expect(ran.stderr).toMatch(new RegExp(`an engine process holds .*: the memory is enough for ${processes} of `));
    expect(JSON.parse(ran.stdout)).toMatchObject({ event: 'summary', rows: demo.rows });
  });
});
