import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openSource } from '../../../../services/producer/src/source.ts';
import { collect, describeSource, refusalOf } from './source-conformance.ts';
import { makeTemporary, writeFiles, writeText } from './temporary.ts';

describeSource('a glob', {
  kind: 'glob',
  make: async directory => `${directory}/**/*`,
  makeEmpty: async directory => `${directory}/**/*`,
});

async function idsOf(location: string): Promise<readonly string[]> {
  return (await collect(await openSource(location))).map(sample => sample.sampleId);
}

it('gives what matches, relative to the part without wildcards and in the order of the folder', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['x/b/1.jpg', 'x/a.jpg', 'x/a/1.jpg', 'x/a/1.png', 'x/a-b/1.jpg', 'y/1.jpg']);
  expect(await idsOf(`${root}/x/**/*.jpg`)).toEqual(['a-b/1.jpg', 'a.jpg', 'a/1.jpg', 'b/1.jpg']);
  expect(await idsOf(`${root}/x/*.jpg`)).toEqual(['a.jpg']);
  expect(await idsOf(`${root}/{x/b,y}/*.jpg`)).toEqual(['x/b/1.jpg', 'y/1.jpg']);
  expect(await idsOf(`${root}/x/[ab]/1.{jpg,png}`)).toEqual(['a/1.jpg', 'a/1.png', 'b/1.jpg']);
});

it('labels by the first folder below the base, if a match lies in one', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['0.jpg', 'cat/1.jpg', 'dog/2.png']);
  const nested = await openSource(`${root}/**/*.jpg`);
  expect(nested.carried).toEqual([{ name: 'label', type: 'utf8' }]);
  expect((await collect(nested)).map(sample => sample.carried)).toEqual([[null], ['cat']]);
  expect((await openSource(`${root}/*.jpg`)).carried).toEqual([]);
  expect((await openSource(`${root}/{0,cat/1}.jpg`)).carried).toHaveLength(1);
  expect((await openSource(`${root}/{0,cat/2}.jpg`)).carried).toEqual([]);
  await rm(join(root, 'cat'), { recursive: true });
  expect((await openSource(`${root}/**/*.jpg`)).carried).toEqual([]);
});

it('counts files that match and are no images, and no others', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['1.jpg', '1.json', '2.txt']);
  const source = await openSource(`${root}/1.*`);
  expect(await collect(source)).toHaveLength(1);
  expect(source.skipped?.()).toMatchObject([{ reason: 'no-image', count: 1 }]);
});

it('does not enter folders deeper than the pattern', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['1.jpg', 'a/2.jpg', 'a/b/3.jpg']);
  const samples = (await openSource(`${root}/{*,*/*}.jpg`)).samples()[Symbol.asyncIterator]();
  expect((await samples.next()).value).toMatchObject({ sampleId: '1.jpg' });
  expect((await samples.next()).value).toMatchObject({ sampleId: 'a/2.jpg' });
  // Entered, a folder that is gone would be refused.
  await rm(join(root, 'a/b'), { recursive: true });
  expect((await samples.next()).done).toBe(true);
});

it('takes escaped brackets in the base for themselves', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['trip [2020]/1.jpg', 'trip 2/2.jpg']);
  expect(await idsOf(`${root}/trip \\[2020\\]/*.jpg`)).toEqual(['1.jpg']);
});

it('gives way to a folder or a list whose name looks like a pattern', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['trip [2020]/1.jpg']);
  const list = await writeText(join(root, 'list (1).txt'), 'trip [2020]/1.jpg\n');
  expect((await openSource(join(root, 'trip [2020]'))).kind).toBe('folder');
  expect((await openSource(list)).kind).toBe('list');
});

it('is refused with the missing folder when its base does not exist', async () => {
  const root = await makeTemporary();
  const { code, message } = await refusalOf(openSource(`${root}/gone/*.jpg`));
  expect(code).toBe('source-unreadable');
  expect(message).toContain(`${root}/gone`);
});
