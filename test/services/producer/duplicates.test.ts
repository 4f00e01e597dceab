import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createDuplicateFinder, type DuplicateFinder } from '../../../services/producer/src/duplicates.ts';
import { refusalOf } from './sources/source-conformance.ts';
import { makeTemporary, writeText } from './sources/temporary.ts';

async function groupsOf(finder: DuplicateFinder): Promise<readonly (readonly number[])[]> {
  const groups: (readonly number[])[] = [];
  for await (const group of finder.find()) groups.push(group);
  return groups.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
}

async function addAll(finder: DuplicateFinder, ids: Iterable<string>): Promise<void> {
  let row = 0;
  for (const id of ids) await finder.add(id, row++);
}

function* numberedIds(count: number): Generator<string> {
  for (let index = 0; index < count; index++) yield `photos/class-${index % 10}/${index}.jpg`;
}

it('finds every row of an id that occurs more than once', async () => {
  const finder = createDuplicateFinder({ spillDirectory: await makeTemporary() });
  await addAll(finder, ['a', 'b', 'c', 'b', 'a', 'd', 'b', '']);
  expect(await groupsOf(finder)).toEqual([
    [0, 4],
    [1, 3, 6],
  ]);
  await finder.close();
});

it('takes no two of 300,000 ids that differ a little for one', async () => {
  const finder = createDuplicateFinder({ spillDirectory: await makeTemporary() });
  await addAll(finder, numberedIds(300_000));
  expect(await groupsOf(finder)).toEqual([]);
  await finder.close();
});

it('takes ids of a few characters, of one length and swapped for different ones', async () => {
  const units = ['\0', '\u0001', 'a', 'b', 'A', 'B', '\u0100', '\u0101', '\ud83d', '\ude00'];
  const pairs = units.flatMap(first => units.map(second => first + second));
  const ids = [...units, ...pairs, ...pairs.flatMap(pair => units.map(unit => pair + unit))];
  const finder = createDuplicateFinder({ spillDirectory: await makeTemporary() });
  await addAll(finder, ids);
  expect(await groupsOf(finder)).toEqual([]);
  await finder.close();
});

it('finds the same groups when the hashes do not fit into memory', async () => {
  const directory = await makeTemporary();
  const ids = [...numberedIds(5_000), 'twice', ...numberedIds(3), 'twice'];
  const finder = createDuplicateFinder({ spillDirectory: join(directory, 'made/when/needed'), memoryEntries: 1_000 });
  await addAll(finder, ids);
  expect(await groupsOf(finder)).toEqual([
    [0, 5_001],
    [1, 5_002],
    [2, 5_003],
    [5_000, 5_004],
  ]);
  await finder.close();
});

it('returns a promise only where it spills', async () => {
  const finder = createDuplicateFinder({ spillDirectory: await makeTemporary(), memoryEntries: 3 });
  const added = ['a', 'b', 'c', 'd'].map((id, row) => finder.add(id, row) instanceof Promise);
  expect(added).toEqual([false, false, true, false]);
  await finder.close();
});

it('writes nothing while the hashes fit into memory, and leaves nothing behind otherwise', async () => {
  const directory = await makeTemporary();
  const finder = createDuplicateFinder({ spillDirectory: directory, memoryEntries: 100 });
  await addAll(finder, numberedIds(99));
  expect(await readdir(directory)).toEqual([]);
  await finder.add('one more', 99);
  expect(await readdir(directory)).not.toEqual([]);
  await finder.close();
  expect(await readdir(directory)).toEqual([]);
});

it('refuses with the directory where it cannot spill', async () => {
  const file = await writeText(join(await makeTemporary(), 'file'), '');
  const finder = createDuplicateFinder({ spillDirectory: file, memoryEntries: 1 });
  const { code, message } = await refusalOf(Promise.resolve(finder.add('a', 0)));
  expect(code).toBe('output-unwritable');
  expect(message).toContain(file);
});
