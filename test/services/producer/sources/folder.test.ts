import { mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openSource } from '../../../../services/producer/src/source.ts';
import { collect, describeSource, refusalOf } from './source-conformance.ts';
import { makeTemporary, writeFiles } from './temporary.ts';

describeSource('a folder', {
  kind: 'folder',
  make: async directory => directory,
  makeEmpty: async directory => directory,
});

async function idsOf(root: string): Promise<readonly string[]> {
  return (await collect(await openSource(root))).map(sample => sample.sampleId);
}

it('sorts the images as whole paths by code unit, however their folders are named', async () => {
  const root = await makeTemporary();
  const names = ['a', 'a-b', 'a.b', 'a b', 'A', 'ab', 'ä', 'a\u0301', '10', '9', '\u{1f600}', '\uff5e', 'Z', '_', '~'];
  const paths = names.flatMap(name => [
    `${name}/1.jpg`,
    `${name}/b/2.jpg`,
    `${name}/b.jpg`,
    `${name}.jpg`,
    `${name}-.jpg`,
  ]);
  await writeFiles(root, paths);
  expect(await idsOf(root)).toEqual([...paths].sort());
});

it('labels each image with its top-level folder, and one right in the root with null', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['0.jpg', 'cat/1.jpg', 'dog/puppy/2.jpg']);
  const source = await openSource(root);
  expect(source.carried).toEqual([{ name: 'label', type: 'utf8' }]);
  expect((await collect(source)).map(sample => sample.carried)).toEqual([[null], ['cat'], ['dog']]);
});

it('carries no label when no folder holds an image', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['0.jpg', 'notes/readme.md', '.cache/1.jpg']);
  const source = await openSource(root);
  expect(source.carried).toEqual([]);
  expect((await collect(source)).map(sample => sample.carried)).toEqual([[]]);
});

it('takes image files by their ending in any case, passes over the rest and says how many', async () => {
  const root = await makeTemporary();
  const images = ['jpg', 'JPEG', 'Jfif', 'png', 'webp', 'gif', 'tif', 'TIFF', 'avif', 'bmp'].map(end => `1.${end}`);
  await writeFiles(root, [...images, 'list.csv', 'jpg', 'x.jpg.part', 'deep/Thumbs.db']);
  const source = await openSource(root);
  expect((await collect(source)).map(sample => sample.sampleId)).toEqual([...images].sort());
  expect(source.notes?.()).toEqual(['skipped 4 files that are no image']);
});

it('passes over hidden files and folders without a word', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['1.jpg', '._1.jpg', '.thumbnails/1.jpg', 'a/.hidden/2.jpg']);
  const source = await openSource(root);
  expect((await collect(source)).map(sample => sample.sampleId)).toEqual(['1.jpg']);
  expect(source.notes?.()).toEqual([]);
});

it('follows links to files inside the root and says how many lead outside', async () => {
  const root = await makeTemporary();
  const outside = await makeTemporary();
  // A folder whose name merely begins like the root's is outside.
  await writeFiles(`${root}-2`, ['secret.jpg']);
  await writeFiles(outside, ['secret.jpg']);
  await writeFiles(root, ['real/1.jpg']);
  await symlink('real/1.jpg', join(root, 'inside.jpg'));
  await symlink(join(outside, 'secret.jpg'), join(root, 'outside.jpg'));
  await symlink(`../${root.split('/').at(-1)}-2/secret.jpg`, join(root, 'sibling.jpg'));
  const source = await openSource(root);
  expect((await collect(source)).map(sample => sample.sampleId)).toEqual(['inside.jpg', 'real/1.jpg']);
  expect(source.notes?.()).toEqual(['skipped 2 links to files outside the source']);
  await rm(`${root}-2`, { recursive: true });
});

it('keeps a link that leads nowhere, so that it ends as a failed row', async () => {
  const root = await makeTemporary();
  await symlink('gone.jpg', join(root, 'dangling.jpg'));
  await symlink('circle.jpg', join(root, 'circle.jpg'));
  expect(await idsOf(root)).toEqual(['circle.jpg', 'dangling.jpg']);
});

it('ends although links to folders form a loop, and gives no image twice', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['a/1.jpg', 'b/2.jpg']);
  await symlink('..', join(root, 'a/up'));
  await symlink('../b', join(root, 'a/b'));
  await symlink('../a', join(root, 'b/a'));
  const source = await openSource(root);
  expect((await collect(source)).map(sample => sample.sampleId)).toEqual(['a/1.jpg', 'b/2.jpg']);
  expect(source.notes?.()).toEqual(['skipped 3 links to directories']);
});

it('takes a root that is itself a link', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['real/1.jpg']);
  await symlink('1.jpg', join(root, 'real/2.jpg'));
  await symlink('real', join(root, 'link'));
  expect(await idsOf(join(root, 'link'))).toEqual(['1.jpg', '2.jpg']);
});

it('refuses, naming it, a folder that cannot be read when its turn comes', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['a/1.jpg', 'b/2.jpg']);
  const samples = (await openSource(root)).samples()[Symbol.asyncIterator]();
  await samples.next();
  await rm(join(root, 'b'), { recursive: true });
  const refusal = await refusalOf(samples.next());
  expect(refusal.code).toBe('source-unreadable');
  expect(refusal.message).toContain(join(root, 'b'));
});

it('says in its refusal what it passed over instead of images', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['a.txt', 'deep/b.txt']);
  await mkdir(join(root, 'empty'));
  const { message, hint } = await refusalOf(openSource(root));
  expect(message).toContain('skipped 2 files that are no image');
  expect(hint).toContain('webp');
});
