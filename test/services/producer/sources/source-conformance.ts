// What every source must do, whatever it reads: one suite, called by the test of each source.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { openSource, type Source } from '../../../../services/producer/src/source.ts';
import type { CarriedValue } from '../../../../shared/src/carried-types.ts';
import { Refusal } from '../../../../shared/src/errors.ts';
import type { Sample } from '../../../../shared/src/manifest.ts';
import { makeTemporary, writeFiles } from './temporary.ts';

export interface ConformingSource {
  readonly kind: string;
  /** Makes a source of the images (relative paths, already written below `directory`); returns its location. */
  readonly make: (directory: string, images: readonly string[]) => Promise<string>;
  /** Makes one that holds no image. */
  readonly makeEmpty: (directory: string) => Promise<string>;
}

const IMAGES = ['cat/a.jpg', 'cat/b.png', 'cat-big/a.webp', 'dog/a.jpg', 'dog/deep/er/a.jpg', 'ünï 1.jpg'];

const TYPE_NAMES: Readonly<Record<string, string>> = {
  utf8: 'string',
  int32: 'number',
  int64: 'bigint',
  float64: 'number',
  bool: 'boolean',
};

export function describeSource(name: string, { kind, make, makeEmpty }: ConformingSource): void {
  describe(`${name}, as every source`, () => {
    let location = '';
    let directory = '';
    beforeAll(async () => {
      directory = await makeTemporary();
      await writeFiles(directory, IMAGES);
      location = await make(directory, IMAGES);
    });

    it('is recognised by its location', async () => {
      expect((await openSource(location)).kind).toBe(kind);
    });

    it('gives every image once, under an id of its own and an absolute path that holds it', async () => {
      const samples = await collect(await openSource(location));
      expect(samples.map(sample => sample.sampleId).sort()).toEqual([...IMAGES].sort());
      for (const { sampleId, uri } of samples) {
        expect(isAbsolute(uri)).toBe(true);
        expect(await readFile(uri, 'utf8')).toBe(sampleId);
      }
    });

    it('gives the same samples in the same order when it is opened again', async () => {
      const first = await collect(await openSource(location));
      expect(await collect(await openSource(location))).toEqual(first);
    });

    it('gives one value, null or of the type announced, for each carried column', async () => {
      const source = await openSource(location);
      for (const { carried } of await collect(source)) {
        expect(carried).toHaveLength(source.carried.length);
        for (const [index, column] of source.carried.entries()) {
          const value: CarriedValue = carried[index] ?? null;
          if (value !== null) expect(typeof value).toBe(TYPE_NAMES[column.type]);
        }
      }
    });

    it('leaves no file open when the reader stops early', async () => {
      const source = await openSource(location);
      for await (const sample of source.samples()) {
        expect(sample.sampleId).not.toBe('');
        break;
      }
      await vi.waitFor(async () => expect(await openFilesBelow(directory)).toEqual([]));
    });

    it('is refused before the first sample when it holds no image', async () => {
      const empty = await makeEmpty(await makeTemporary());
      const refusal = await refusalOf(openSource(empty));
      expect(refusal.code).toBe('source-unreadable');
      expect(refusal.message).toContain(empty);
    });
  });
}

export async function collect(source: Source): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of source.samples()) samples.push(sample);
  return samples;
}

/** The refusal that `work` must end with. */
export async function refusalOf(work: Promise<unknown>): Promise<Refusal> {
  const error: unknown = await work.then(
    () => new Error('Expected a refusal but nothing was refused'),
    (reason: unknown) => reason,
  );
  if (error instanceof Refusal) return error;
  throw error;
}

/** Files below `directory` that this process holds open, as Linux lists them; none elsewhere. */
async function openFilesBelow(directory: string): Promise<readonly string[]> {
  const descriptors = await readdir('/proc/self/fd').catch(() => []);
  const paths = await Promise.all(
    descriptors.map(descriptor => readlink(`/proc/self/fd/${descriptor}`).catch(() => '')),
  );
  return paths.filter(path => path.startsWith(directory));
}
