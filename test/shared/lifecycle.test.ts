// Shutdown and exit status, of a real process that gets real signals.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: readonly string[];
  readonly stderr: string;
}

/** Runs the program and answers lines of its standard output with signals. */
function run(behaviour: string, answers: Readonly<Record<string, NodeJS.Signals>> = {}): Promise<Ended> {
  const program = fileURLToPath(new URL('../support/lifecycle-program.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', program, behaviour], { stdio: ['ignore', 'pipe', 'pipe'] });
  const stdout: string[] = [];
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n').filter(line => line !== '')) {
      stdout.push(line);
      const signal = answers[line];
      if (signal !== undefined) child.kill(signal);
    }
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
}

const CLOSED = ['closed last opened', 'closed first opened'];

describe('the lifecycle', () => {
  it('ends with status 0 and closes in reverse order', async () => {
    expect(await run('done')).toEqual({ status: 0, signal: null, stdout: CLOSED, stderr: '' });
  });

  it('ends with the status that main returns', async () => {
    expect(await run('status')).toMatchObject({ status: 4, stdout: CLOSED });
  });

  it('shows a refusal as its message and hint, without a stack', async () => {
    expect(await run('refusal')).toEqual({
      status: 2,
      signal: null,
      stdout: CLOSED,
      stderr: 'Expected a number for `batch` but received x\nGive --batch 32.\n',
    });
  });

  it('shows a bug with its stack and cause', async () => {
    const { status, stdout, stderr } = await run('bug');
    expect({ status, stdout }).toEqual({ status: 1, stdout: CLOSED });
    expect(stderr).toMatch(/Error: this is a bug\n +at .*lifecycle-program/);
    expect(stderr).toContain('caused by: Error: its cause');
  });

  it('runs the other closers where one fails, and ends with status 1', async () => {
    const { status, stdout, stderr } = await run('bad-closer');
    expect({ status, stdout }).toEqual({ status: 1, stdout: CLOSED });
    expect(stderr).toContain('could not close');
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('finishes what is in hand at the first %s and ends with status %i', async (signal, status) => {
    expect(await run('stop', { ready: signal })).toEqual({
      status,
      signal: null,
      stdout: ['ready', `first ${signal}`, 'finished the shard', ...CLOSED],
      stderr: '',
    });
  });

  it('says how to go on after a signal, and still ends with its status', async () => {
    expect(await run('stop-refusing', { ready: 'SIGINT' })).toMatchObject({
      status: 130,
      stderr: 'Stopped after 3 of 9 shards\nGo on with `layertap resume OUT`.\n',
    });
  });

  it('lets main call a stop by signal a success', async () => {
    expect(await run('stop-cleanly', { ready: 'SIGTERM' })).toMatchObject({
      status: 0,
      stdout: expect.arrayContaining(CLOSED),
    });
  });

  it('leaves at the second signal, whatever is still open', async () => {
    expect(await run('leave', { ready: 'SIGINT', 'first SIGINT': 'SIGINT' })).toMatchObject({
      status: 130,
      stdout: ['ready', 'first SIGINT', 'second SIGINT', ...CLOSED],
    });
  });

  it('ends although a closer is stuck after the second signal', async () => {
    expect(await run('stuck-closer', { ready: 'SIGINT', 'first SIGINT': 'SIGTERM' })).toMatchObject({
      status: 143,
      stdout: ['ready', 'first SIGINT', 'second SIGTERM'],
    });
  });

  it('ends at the third signal without another word', async () => {
    expect(
      await run('stuck', { ready: 'SIGINT', 'first SIGINT': 'SIGTERM', 'second SIGTERM': 'SIGINT' }),
    ).toMatchObject({ status: 130, stdout: ['ready', 'first SIGINT', 'second SIGTERM'], stderr: '' });
  });
});
