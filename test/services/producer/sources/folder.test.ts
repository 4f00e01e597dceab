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
  expect(source.skipped?.()).toMatchObject([{ reason: 'no-image', count: 4 }]);
});

it('passes over hidden files and folders without a word', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['1.jpg', '._1.jpg', '.thumbnails/1.jpg', 'a/.hidden/2.jpg']);
  const source = await openSource(root);
  expect((await collect(source)).map(sample => sample.sampleId)).toEqual(['1.jpg']);
  expect(source.skipped?.()).toEqual([]);
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
  expect(source.skipped?.()).toMatchObject([{ reason: 'link-outside', count: 2 }]);
  await rm(`${root}-2`, { recursive: true });
});

it('follows links to folders and to files outside, where it is told to, in the order of their names', async () => {
  const [root, outside] = [await makeTemporary(), await makeTemporary()];
  await writeFiles(outside, ['photos/1.jpg', 'photos/deep/2.jpg', 'single.jpg']);
  await writeFiles(root, ['cat/0.jpg']);
  await symlink(join(outside, 'photos'), join(root, 'dog'));
  await symlink(join(outside, 'single.jpg'), join(root, 'cat/9.jpg'));
  const source = await openSource(root, { followLinks: true });
  const samples = await collect(source);
  expect(samples.map(({ sampleId }) => sampleId)).toEqual(['cat/0.jpg', 'cat/9.jpg', 'dog/1.jpg', 'dog/deep/2.jpg']);
  expect(samples.map(({ carried }) => carried)).toEqual([['cat'], ['cat'], ['dog'], ['dog']]);
  expect(source.skipped?.()).toEqual([]);
  const glob = await openSource(`${root}/*/*.jpg`, { followLinks: true });
  expect((await collect(glob)).map(({ sampleId }) => sampleId)).toEqual(['cat/0.jpg', 'cat/9.jpg', 'dog/1.jpg']);
});

it('enters no link that leads above itself, and gives each image once for each way to it', async () => {
  const root = await foldersInCircles();
  await symlink('.', join(root, 'b/self'));
  const source = await openSource(root, { followLinks: true });
  expect((await collect(source)).map(({ sampleId }) => sampleId)).toEqual([
    ...['a/1.jpg', 'a/b/2.jpg', 'b/2.jpg', 'b/a/1.jpg'],
  ]);
  expect(source.skipped?.()).toMatchObject([{ reason: 'link-circle' }]);
});

it('names the option where all that it found are links', async () => {
  const [root, outside] = [await makeTemporary(), await makeTemporary()];
  await writeFiles(outside, ['1.jpg']);
  await symlink(join(outside, '1.jpg'), join(root, '1.jpg'));
  const { message, hint } = await refusalOf(openSource(root));
  expect(message).toContain("1 link to a file outside the source: '1.jpg'");
  expect(hint).toContain('--follow-links');
});

it('has a split and a label where the folders are splits of a data set', async () => {
  const root = await makeTemporary();
  await writeFiles(root, ['train/cat/1.jpg', 'train/dog/2.jpg', 'val/cat/3.jpg', 'val/4.jpg', '5.jpg', 'notes/x.md']);
  const source = await openSource(root);
  expect(source.carried.map(({ name }) => name)).toEqual(['split', 'label']);
  expect((await collect(source)).map(({ sampleId, carried }) => [sampleId, ...carried])).toEqual([
    ['5.jpg', null, null],
    ['train/cat/1.jpg', 'train', 'cat'],
    ['train/dog/2.jpg', 'train', 'dog'],
    ['val/4.jpg', 'val', null],
    ['val/cat/3.jpg', 'val', 'cat'],
  ]);
});

it('has a split alone where there are no classes below, and a label where one folder is no split', async () => {
  const [flat, classes] = [await makeTemporary(), await makeTemporary()];
  await writeFiles(flat, ['test/1.jpg', 'Training/2.jpg']);
  expect((await openSource(flat)).carried.map(({ name }) => name)).toEqual(['split']);
  await writeFiles(classes, ['train/1.jpg', 'plane/2.jpg']);
  expect((await openSource(classes)).carried.map(({ name }) => name)).toEqual(['label']);
});

it('keeps a link that leads nowhere, so that it ends as a failed row', async () => {
  const root = await makeTemporary();
  await symlink('gone.jpg', join(root, 'dangling.jpg'));
  await symlink('circle.jpg', join(root, 'circle.jpg'));
  expect(await idsOf(root)).toEqual(['circle.jpg', 'dangling.jpg']);
});

/** Two folders with an image each, which link to one another and to the folder above. */
async function foldersInCircles(): Promise<string> {
  const root = await makeTemporary();
  await writeFiles(root, ['a/1.jpg', 'b/2.jpg']);
  await symlink('..', join(root, 'a/up'));
  await symlink('../b', join(root, 'a/b'));
  await symlink('../a', join(root, 'b/a'));
  return root;
}

it('ends although links to folders form a loop, and gives no image twice', async () => {
  const root = await foldersInCircles();
  const source = await openSource(root);
  expect((await collect(source)).map(sample => sample.sampleId)).toEqual(['a/1.jpg', 'b/2.jpg']);
  expect(source.skipped?.()).toMatchObject([{ reason: 'linked-folder', count: 3 }]);
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
  expect(message).toContain('2 files that are no image: ');
  expect(hint).toContain('webp');
});
