// docker-compose.yml hands on every option of the services: without its name there, a variable that a user sets is silently lost.
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { resume } from '../../cli/src/commands/resume.ts';
import { producerServiceOptions } from '../../services/producer/src/config.ts';
import { workerServiceOptions } from '../../services/worker/src/config.ts';
import { describeOptions, type OptionShape } from '../../shared/src/options.ts';

/** The variables that a service of the file gets, in the order of their names. */
async function variablesOf(service: string): Promise<readonly string[]> {
  const text = await readFile(new URL('../../docker-compose.yml', import.meta.url), 'utf8');
  const section = new RegExp(`^  ${service}:\\n((?: {4}.*\\n|\\n)+)`, 'm').exec(text)?.[1] ?? '';
  return [...section.matchAll(/^ {6}([A-Z][A-Z0-9_]+):/gm)].flatMap(([, name]) => name ?? []).sort();
}

describe('docker-compose.yml', () => {
  it.each<[string, OptionShape]>([
    ['producer', producerServiceOptions],
    ['worker', workerServiceOptions],
  ])('hands every option on to the %s', async (service, options) => {
    // Of the connection the file says all there is to say: it has a Redis of its own.
    const names = describeOptions(options)
      .map(({ env }) => env)
      .filter(env => env === 'REDIS_URL' || !env.startsWith('REDIS_'));
    const passed = (await variablesOf(service)).filter(name => name !== 'LAYERTAP_REDIS');
    expect(passed).toEqual(names.sort());
  });

  it('has `layertap resume` queue for the workers', async () => {
    const { env } = describeOptions(resume.options).find(({ name }) => name === 'redis') ?? {};
    expect(await variablesOf('producer')).toContain(env);
  });
});
