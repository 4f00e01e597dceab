// What every storage must do, run over each implementation by its own test file.
import { describe, expect, it } from 'vitest';
import type { Storage } from '../../../shared/src/storage.ts';
import { pathsIn } from '../../support/small-run.ts';

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function textIn(storage: Storage, path: string): Promise<string | undefined> {
  const bytes = await storage.read(path);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** @param open an empty storage; what it needs to be cleaned up is up to `open` */
export function describeStorage(name: string, open: () => Promise<Storage>): void {
  describe(name, () => {
    it('reads nothing where there is nothing', async () => {
      const storage = await open();
      expect(await storage.read('none/at/all.json')).toBeUndefined();
      expect(await pathsIn(storage, 'none')).toEqual([]);
    });

    it('gives back whole files, with folders made on the way', async () => {
      const storage = await open();
      await storage.replace('a/b/c ü.bin', Uint8Array.from([0, 255, 10]));
      expect(Array.from((await storage.read('a/b/c ü.bin')) ?? [])).toEqual([0, 255, 10]);
    });

    it('keeps an empty file', async () => {
      const storage = await open();
      await storage.replace('empty', new Uint8Array(0));
      expect(await textIn(storage, 'empty')).toBe('');
    });

    describe('createOnce', () => {
      it('makes a file once and leaves it as it is', async () => {
        const storage = await open();
        expect(await storage.createOnce('receipts/1.json', bytesOf('first'))).toBe(true);
        expect(await storage.createOnce('receipts/1.json', bytesOf('second'))).toBe(false);
        expect(await textIn(storage, 'receipts/1.json')).toBe('first');
      });

      it('lets exactly one of 20 concurrent writers win, with its whole content', async () => {
        const storage = await open();
        const contents = Array.from({ length: 20 }, (_, writer) => `${writer},`.repeat(10_000));
        const created = await Promise.all(contents.map(text => storage.createOnce('receipts/1.json', bytesOf(text))));
        expect(created.filter(won => won)).toHaveLength(1);
        expect(await textIn(storage, 'receipts/1.json')).toBe(contents[created.indexOf(true)]);
        expect(await pathsIn(storage, 'receipts')).toEqual(['receipts/1.json']);
      });
    });

    describe('replace', () => {
      it('puts the new content in place of the old', async () => {
        const storage = await open();
        await storage.replace('summary.json', bytesOf('a long text'));
        await storage.replace('summary.json', bytesOf('short'));
        expect(await textIn(storage, 'summary.json')).toBe('short');
      });

      it('never shows a reader half of a file', async () => {
        const storage = await open();
        const contents = ['a', 'b', 'c', 'd'].map(letter => letter.repeat(200_000));
        await storage.replace('file', bytesOf(contents[0] ?? ''));
        const writes = Promise.all(contents.map(text => storage.replace('file', bytesOf(text))));
        for (let read = 0; read < 20; read++) expect(contents).toContain(await textIn(storage, 'file'));
        await writes;
        expect(contents).toContain(await textIn(storage, 'file'));
        expect(await pathsIn(storage, '.')).toHaveLength(1);
      });
    });

    describe('a staged file', () => {
      it('has no name until it is published, then it is whole', async () => {
        const storage = await open();
        const staged = await storage.stage('parts/000');
        await staged.write(bytesOf('one '));
        await staged.write(bytesOf('two'));
        expect((await pathsIn(storage, 'parts')).filter(path => path.endsWith('.parquet'))).toEqual([]);
        await staged.publish('parts/000/1.parquet');
        expect(await textIn(storage, 'parts/000/1.parquet')).toBe('one two');
        expect(await pathsIn(storage, 'parts')).toEqual(['parts/000/1.parquet']);
      });

      it('leaves nothing when it is given up, before or after a write, and twice', async () => {
        const storage = await open();
        const [unwritten, written] = [await storage.stage('parts'), await storage.stage('parts')];
        await written.write(bytesOf('half'));
        for (const staged of [unwritten, written, written]) await staged.abort();
        expect(await pathsIn(storage, 'parts')).toEqual([]);
      });

      it('stays published when it is given up afterwards', async () => {
        const storage = await open();
        const staged = await storage.stage('parts');
        await staged.write(bytesOf('all'));
        await staged.publish('parts/1.arrow');
        await staged.abort();
        expect(await textIn(storage, 'parts/1.arrow')).toBe('all');
      });

      it('takes the name of one with equal content', async () => {
        const storage = await open();
        for (let writer = 0; writer < 2; writer++) {
          const staged = await storage.stage('parts');
          await staged.write(bytesOf('same'));
          await staged.publish('parts/1-hash.arrow');
        }
        expect(await pathsIn(storage, 'parts')).toEqual(['parts/1-hash.arrow']);
      });

      it('keeps its temporary name when it is flushed, and can be written to afterwards', async () => {
        const storage = await open();
        const staged = await storage.stage('parts');
        await staged.write(bytesOf('one '));
        await staged.flush();
        expect(await pathsIn(storage, 'parts')).toHaveLength(1);
        expect(await storage.read('parts/1.arrow')).toBeUndefined();
        await staged.write(bytesOf('two'));
        await staged.publish('parts/1.arrow');
        expect(await textIn(storage, 'parts/1.arrow')).toBe('one two');
      });

      it('takes a name once: where a file has it, that stays and nothing of the other is left', async () => {
        const storage = await open();
        const staged = await Promise.all(['first', 'second'].map(() => storage.stage('receipts/000')));
        await Promise.all(staged.map((file, index) => file.write(bytesOf(index === 0 ? 'first' : 'second'))));
        expect(await staged[0]?.publishOnce('receipts/000/1.json')).toBe(true);
        expect(await staged[1]?.publishOnce('receipts/000/1.json')).toBe(false);
        await staged[1]?.abort();
        expect(await textIn(storage, 'receipts/000/1.json')).toBe('first');
        expect(await pathsIn(storage, 'receipts')).toEqual(['receipts/000/1.json']);
      });

      it('is one of many at a time in one folder', async () => {
        const storage = await open();
        const files = await Promise.all(Array.from({ length: 10 }, () => storage.stage('parts')));
        await Promise.all(files.map((staged, index) => staged.write(bytesOf(String(index)))));
        await Promise.all(files.map((staged, index) => staged.publish(`parts/${index}`)));
        expect(await textIn(storage, 'parts/7')).toBe('7');
        expect(await pathsIn(storage, 'parts')).toHaveLength(10);
      });
    });

    it('streams a file larger than a piece, whole and in order', async () => {
      const storage = await open();
      const content = Uint8Array.from({ length: 300_000 }, (_, at) => at % 251);
      await storage.replace('large', content);
      const pieces: Uint8Array[] = [];
      for await (const piece of storage.stream('large')) pieces.push(piece);
      expect(Buffer.concat(pieces).equals(content)).toBe(true);
    });

    it('throws when it streams what is not there', async () => {
      const storage = await open();
      const pieces = storage.stream('none')[Symbol.asyncIterator]();
      await expect(pieces.next()).rejects.toThrow();
    });

    it('lists all files below a folder, with the folder in their paths, and none beside it', async () => {
      const storage = await open();
      for (const path of ['parts/1', 'parts/000/2', 'parts/000/deep/3', 'partsmore/4', '5']) {
        await storage.replace(path, bytesOf('x'));
      }
      expect(await pathsIn(storage, 'parts')).toEqual(['parts/000/2', 'parts/000/deep/3', 'parts/1']);
      expect(await pathsIn(storage, 'parts/000')).toEqual(['parts/000/2', 'parts/000/deep/3']);
    });

    it('knows the size of a file, and that there is none', async () => {
      const storage = await open();
      await storage.replace('parts/1', bytesOf('three'));
      expect(await storage.size('parts/1')).toBe(5);
      expect(await storage.size('parts/2')).toBeUndefined();
    });

    it('removes a folder with all that is in it, and minds not when there is none', async () => {
      const storage = await open();
      for (const path of ['.own/a/1', '.own/2', 'other/3']) await storage.replace(path, bytesOf('x'));
      await storage.removeFolder('.own');
      await storage.removeFolder('.own');
      expect(await pathsIn(storage, '.')).toEqual(['./other/3']);
    });

    it('removes a file, and minds not when there is none', async () => {
      const storage = await open();
      await storage.replace('a', bytesOf('x'));
      await storage.remove('a');
      await storage.remove('a');
      expect(await storage.read('a')).toBeUndefined();
    });
  });
}
