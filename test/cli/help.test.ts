// What the command line says about itself, and layers about a model.

import { describe, expect, it } from 'vitest';
import { extractOptions, outputOptions, queueOptions, workerOptions } from '../../shared/src/extract-options.ts';
import { describeOptions, type OptionShape } from '../../shared/src/options.ts';
import { layertapVersion } from '../../shared/src/versions.ts';
import { DEMO_MODEL } from '../support/demo-set.ts';
import { jsonLines, run } from '../support/layertap.ts';

describe('the help', () => {
  it('of layertap lists every command with its summary, and so does no argument at all', async () => {
    const [help, none] = await Promise.all([run(['--help']), run([])]);
    expect(none).toEqual(help);
    expect(help.code).toBe(0);
    for (const name of [
      'extract',
      'enqueue',
      'work',
      'status',
      'resume',
      'verify',
      'retry-failed',
      'explain',
      'diff',
      'compact',
      'extend',
      'add-layer',
      'gc',
      'show',
      'layers',
      'fit',
      'demo',
    ]) {
      expect(help.stdout).toMatch(new RegExp(`^  ${name} +[A-Z].{20,}$`, 'm'));
    }
  });

  const own: OptionShape = { ...extractOptions, ...outputOptions };
  it.each<[string, OptionShape, readonly string[]]>([
    ['extract', { ...own, ...workerOptions }, []],
    ['enqueue', { ...own, ...queueOptions }, ['--wait']],
    ['work', { ...queueOptions, ...workerOptions, ...outputOptions }, []],
    ['status', outputOptions, ['--redis', '--queue']],
    ['resume', { ...workerOptions, ...outputOptions }, ['--redis', '--queue', '--wait', '--verify', '--deep']],
    ['verify', outputOptions, ['--deep']],
    ['retry-failed', { ...workerOptions, ...outputOptions }, ['--code']],
    ['explain', outputOptions, []],
    ['diff', outputOptions, ['--cosine']],
    ['compact', outputOptions, ['--file-size']],
    ['extend', { ...workerOptions, ...outputOptions }, ['--plan-only']],
    ['add-layer', { ...workerOptions, ...outputOptions }, ['--layer', '--max-output']],
    ['gc', outputOptions, ['--dry-run', '--idle', '--redis', '--queue']],
    ['show', outputOptions, ['--rows', '--failed']],
    ['layers', outputOptions, []],
    ['fit', outputOptions, ['--model', '--epochs', '--every-epochs', '--every-batches', '--size']],
    ['demo', { ...workerOptions, ...outputOptions }, ['--out']],
  ])('of %s lists every option with what it means', async (command, shape, more) => {
    const { code, stdout } = await run([command, '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: layertap ${command} .*\\[options\\]`, 'm'));
    for (const { flag, value, description } of describeOptions(shape)) {
      expect(stdout).toContain(value === undefined ? `  ${flag} ` : `  ${flag} ${value}`);
      expect(stdout).toContain(description);
    }
    for (const flag of more) expect(stdout).toMatch(new RegExp(`^  ${flag}\\b.* [A-Z]`, 'm'));
    // No option without a description.
    for (const line of stdout.match(/^ {2}--.*$/gm) ?? []) expect(line).toMatch(/^ {2}--\S+( \S+)? {2,}\S/);
  });

  it('--version is that of package.json', async () => {
    expect((await run(['--version'])).stdout).toBe(`${layertapVersion()}\n`);
  });
});

describe('layers', () => {
  it('lists index, name, class, output shape and parameters', async () => {
    const { code, stdout } = await run(['layers', DEMO_MODEL]);
    const lines = stdout.trimEnd().split('\n');
    expect(code).toBe(0);
    expect(lines[0]).toMatch(/^index +name +class +output shape +parameters$/);
    expect(lines.at(-1)).toMatch(/^17 +predictions +Dense +10 +970$/);
    expect(lines).toHaveLength(19);
  });

  it('--json gives the same for programs', async () => {
    const [model] = jsonLines((await run(['layers', DEMO_MODEL, '--json'])).stdout);
    expect(model).toMatchObject({ path: DEMO_MODEL, format: 'tfjs-layers', outputs: ['predictions'] });
    expect(model?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect((model?.layers as unknown[] | undefined)?.[9]).toMatchObject({
      index: 9,
      name: 'conv3',
      className: 'Conv2D',
      outputShape: [16, 16, 64],
      parameters: 18432,
    });
  });

  it('without a model, or with two, is wrong usage', async () => {
    const results = await Promise.all([run(['layers']), run(['layers', 'a', 'b'])]);
    expect(results.map(({ code }) => code)).toEqual([2, 2]);
    expect(results[1]?.stderr).toContain("Expected one MODEL but received 'a', 'b'");
  });
});
