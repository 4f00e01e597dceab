import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openSource } from '../../../../services/producer/src/source.ts';
import type { CarriedColumn, Sample } from '../../../../shared/src/manifest.ts';
import { collect, describeSource, refusalOf } from './source-conformance.ts';
import { makeTemporary, writeFiles, writeText } from './temporary.ts';

describeSource('a text list', {
  kind: 'list',
  make: (directory, images) => writeText(join(directory, 'list.txt'), images.join('\n')),
  makeEmpty: directory => writeText(join(directory, 'list.txt'), '# nothing\n\n'),
});

describeSource('a comma-separated list', {
  kind: 'list',
  make: (directory, images) => writeText(join(directory, 'list.csv'), rows(images, ',')),
  makeEmpty: directory => writeText(join(directory, 'list.csv'), rows([], ',')),
});

describeSource('a tab-separated list', {
  kind: 'list',
  make: (directory, images) => writeText(join(directory, 'list.tsv'), rows(images, '\t')),
  makeEmpty: directory => writeText(join(directory, 'list.tsv'), ''),
});

describeSource('a JSON Lines list', {
  kind: 'list',
  make: (directory, images) =>
    writeText(
      join(directory, 'list.jsonl'),
      images
        .map((path, at) => JSON.stringify({ path, at, half: at / 2, even: at % 2 === 0, name: `${at}` }))
        .join('\n'),
    ),
  makeEmpty: directory => writeText(join(directory, 'list.jsonl'), '\n'),
});

function rows(images: readonly string[], delimiter: string): string {
  return [['file', 'label'], ...images.map((path, at) => [path, `class ${at}`])]
    .map(row => row.join(delimiter))
    .join('\n');
}

interface Read {
  readonly carried: readonly CarriedColumn[];
  readonly samples: readonly Sample[];
}

async function readList(name: string, content: string | Uint8Array): Promise<Read> {
  const source = await openSource(await writeText(join(await makeTemporary(), name), content));
  return { carried: source.carried, samples: await collect(source) };
}

async function refusedList(name: string, content: string | Uint8Array): Promise<string> {
  const { code, message, hint } = await refusalOf(readList(name, content));
  expect(code).toBe('source-unreadable');
  expect(message).toContain(name);
  return `${message} ${hint ?? ''}`;
}

async function idsOf(name: string, content: string | Uint8Array): Promise<readonly string[]> {
  return (await readList(name, content)).samples.map(sample => sample.sampleId);
}

it('resolves relative paths against the folder of the list and keeps them as written for the id', async () => {
  const list = await writeText(join(await makeTemporary(), 'lists/all.txt'), '../photos/1.jpg\n./2.jpg\n/abs/3.jpg\n');
  expect(await collect(await openSource(list))).toEqual([
    { sampleId: '../photos/1.jpg', uri: join(dirname(list), '../photos/1.jpg'), carried: [] },
    { sampleId: './2.jpg', uri: join(dirname(list), '2.jpg'), carried: [] },
    { sampleId: '/abs/3.jpg', uri: '/abs/3.jpg', carried: [] },
  ]);
});

it('turns file:// URLs into paths', async () => {
  const url = pathToFileURL('/photos/a b.jpg').href;
  expect((await readList('list.txt', `${url}\n`)).samples).toEqual([
    { sampleId: url, uri: '/photos/a b.jpg', carried: [] },
  ]);
});

it.each(['https://example.org/1.jpg', 's3://bucket/1.jpg', 'data:image/png;base64,AA=='])(
  'refuses %s, naming its line and saying that only local paths are read',
  async url => {
    const refusal = await refusedList('list.txt', `1.jpg\n${url}\n`);
    expect(refusal).toContain('line 2');
    expect(refusal).toContain('local path');
  },
);

it('reads text lists with CRLF, a byte order mark, comments, blank lines and no last line end', async () => {
  const text = '\ufeff# photos\r\n\r\n1.jpg\r\n   \r\n two words .jpg\r\n# more\r\nlast.jpg';
  expect(await idsOf('list.txt', text)).toEqual(['1.jpg', ' two words .jpg', 'last.jpg']);
});

it('keeps lines and characters whole where the file is read in pieces', async () => {
  // Pieces are 64 KB: two letters in front, and the first piece ends within a three-byte character.
  const paths = [`ab${'€'.repeat(30_000)}`, ...Array.from({ length: 9_001 }, (_, at) => `ümläut-😀/${at}.jpg`)];
  expect(await idsOf('list.txt', paths.join('\n'))).toEqual(paths);
});

it('refuses a text list in another encoding instead of misreading its paths', async () => {
  const latin1 = Buffer.from('1.jpg\nm\u00fcller.jpg\n', 'latin1');
  expect(await refusedList('list.txt', latin1)).toContain('UTF-8');
  expect(await refusedList('list.csv', Buffer.from('path\nm\u00fcller.jpg\n', 'latin1'))).toContain('UTF-8');
});

it('refuses a file without line ends before it fills the memory', async () => {
  expect(await refusedList('list.txt', 'x'.repeat(3_000_000))).toContain('without a line end');
});

it.each([
  ...['path', 'uri', 'file', 'filename', 'filepath', 'image', 'image_path', 'image_uri', 'url', 'Image_Path'],
  // Hugging Face and COCO, Keras' frames, Open Images, and what people write.
  ...['file_name', 'File Name', 'image_file', 'img_path', 'ImageID', 'image-name'],
])('takes a column named %s for the paths', async name => {
  expect(await idsOf('list.csv', `n,${name}\n1,a.jpg\n`)).toEqual(['a.jpg']);
  expect(await idsOf('list.jsonl', JSON.stringify({ n: 1, [name]: 'a.jpg' }))).toEqual(['a.jpg']);
});

it('refuses a list without a path column, showing the columns it has', async () => {
  const refusal = await refusedList('list.csv', 'photo,label\n1.jpg,cat\n');
  expect(refusal).toContain('`photo`, `label`');
  expect(refusal).toContain('--path-column');
});

it('takes the path and the label from the columns that it is told', async () => {
  const text = 'photo,breed,path\na.jpg,pug,elsewhere\n';
  const list = await writeText(join(await makeTemporary(), 'list.csv'), text);
  const source = await openSource(list, { pathColumn: 'photo', labelColumn: 'breed' });
  expect(source.carried.map(({ name }) => name)).toEqual(['label', 'path']);
  expect(await collect(source)).toMatchObject([{ sampleId: 'a.jpg', carried: ['pug', 'elsewhere'] }]);
  const { message } = await refusalOf(openSource(list, { pathColumn: 'Photo' }));
  expect(message).toContain('a column `Photo`');
  expect(message).toContain('`photo`, `breed`, `path`');
});

it('carries the columns that it is told, or none', async () => {
  // One that could not be carried stands in nobody's way.
  const list = await writeText(join(await makeTemporary(), 'list.csv'), 'path,a,b,status\n1.jpg,x,y,z\n');
  expect((await refusalOf(openSource(list))).hint).toContain('--carry');
  expect((await openSource(list, { carry: ['b'] })).carried.map(({ name }) => name)).toEqual(['b']);
  expect((await openSource(list, { noCarry: true })).carried).toEqual([]);
  expect((await openSource(list, { noCarry: true, labelColumn: 'a' })).carried.map(({ name }) => name)).toEqual([
    'label',
  ]);
  expect((await refusalOf(openSource(list, { carry: ['c'] }))).message).toContain('a column `c`');
});

it.each([
  ['semicolons', 'path;label\n1,5.jpg;cat\n'],
  ['tabs', 'path\tlabel\n1,5.jpg\tcat\n'],
  ['bars', 'path|label\n1,5.jpg|cat\n'],
  ['a first line of Excel that says so', 'sep=;\r\npath;label\r\n1,5.jpg;cat\r\n'],
  ['commas', 'path,label\n"1,5.jpg",cat\n'],
  ['commas, and a header with a semicolon', '"path","la;bel;s"\n"1,5.jpg",cat\n'],
])('reads values separated by %s', async (_, text) => {
  const { carried, samples } = await readList('list.csv', text);
  expect(carried).toHaveLength(1);
  expect(samples).toMatchObject([{ sampleId: '1,5.jpg', carried: ['cat'] }]);
});

it('counts the lines of a list from its first one, whatever stands there', async () => {
  expect(await refusedList('list.csv', 'sep=;\npath;label\n1.jpg;a\n2.jpg\n')).toContain('line 4');
});

it.each(['utf16le', 'utf16be'] as const)('reads %s with its mark, which Excel writes', async encoding => {
  const bytes = Buffer.from('\ufeffpath\tlabel\r\nm\u00fcller 😀.jpg\tcat\r\n', 'utf16le');
  if (encoding === 'utf16be') bytes.swap16();
  expect((await readList('list.csv', bytes)).samples).toMatchObject([{ sampleId: 'müller 😀.jpg', carried: ['cat'] }]);
  expect((await readList('list.txt', bytes)).samples[1]?.sampleId).toBe('müller 😀.jpg\tcat');
});

it.each(['list.csv.gz', 'list.jsonl.gz', 'list.ndjson.GZ', 'list.txt.gz', 'list.tsv.gz'])('reads %s', async name => {
  const text = name.includes('json') ? '{"path":"1.jpg"}' : name.includes('txt') ? '1.jpg' : 'path\n1.jpg';
  expect(await idsOf(name, gzipSync(text))).toEqual(['1.jpg']);
});

it('refuses a gzipped list that ends early', async () => {
  const whole = gzipSync('path\n'.concat(...Array.from({ length: 9000 }, (_, at) => `${Math.sin(at)}.jpg\n`)));
  expect(await refusedList('list.csv.gz', whole.subarray(0, whole.length - 100))).toContain('readable list');
});

describe('a list whose paths are written in the way of another system', () => {
  async function found(name: string, content: string): Promise<{ readonly uris: string[]; readonly notes: string }> {
    const folder = await makeTemporary();
    await writeFiles(folder, ['photos/hat/c.jpg', 'photos/hat/a 1.jpg', '0a1b.jpg']);
    const source = await openSource(await writeText(join(folder, name), content));
    const uris = (await collect(source)).map(({ uri }) => uri);
    for (const uri of uris) expect(await readFile(uri, 'utf8')).not.toBe('');
    return { uris: uris.map(uri => uri.slice(folder.length + 1)), notes: source.notes?.join('\n') ?? '' };
  }

  it('finds those of Windows', async () => {
    const { uris, notes } = await found('win.csv', 'path,label\nphotos\\hat\\c.jpg,hat\n.\\photos\\hat\\a 1.jpg,hat\n');
    expect(uris).toEqual(['photos/hat/c.jpg', 'photos/hat/a 1.jpg']);
    expect(notes).toContain('as Windows writes paths');
  });

  it('finds those with blanks around them, and takes blanks from the other columns too', async () => {
    const { uris, notes } = await found('spaces.csv', 'path, label\n photos/hat/c.jpg, hat\nphotos/hat/c.jpg ,hat\n');
    expect(uris).toEqual(['photos/hat/c.jpg', 'photos/hat/c.jpg']);
    expect(notes).toContain('blanks around them');
    const { carried, samples } = await readList('spaces.csv', 'path, label\n1.jpg, hat\n');
    expect([carried[0]?.name, samples[0]?.carried]).toEqual(['label', [' hat']]);
  });

  it('finds those of Windows where half of the images are gone', async () => {
    const folder = await makeTemporary();
    await writeFiles(folder, ['hat/c.jpg']);
    const source = await openSource(await writeText(join(folder, 'win.csv'), 'path\nhat\\c.jpg\nhat\\gone.jpg\n'));
    const uris = (await collect(source)).map(({ uri }) => uri);
    expect(uris).toEqual([join(folder, 'hat/c.jpg'), join(folder, 'hat/gone.jpg')]);
  });

  it('finds those without an ending, as Open Images has them', async () => {
    expect((await found('ids.csv', 'ImageID,Split\n0a1b,train\n')).uris).toEqual(['0a1b.jpg']);
  });

  it('keeps a path that is found as it is written, whatever it looks like', async () => {
    const folder = await makeTemporary();
    await writeFiles(folder, [' a\\b .jpg', 'c.jpg']);
    const source = await openSource(await writeText(join(folder, 'list.txt'), ' a\\b .jpg\nc.jpg\n'));
    expect((await collect(source)).map(({ uri }) => uri)).toEqual([join(folder, ' a\\b .jpg'), join(folder, 'c.jpg')]);
    expect(source.notes).toEqual([]);
  });

  it('says where it looked, where most are not found', async () => {
    const folder = await makeTemporary();
    const source = await openSource(await writeText(join(folder, 'list.txt'), 'x.jpg\ny.jpg\n'));
    expect(source.notes?.[0]).toContain(
      `2 of the first 2 paths of the list are not found on this machine, such as ${join(folder, 'x.jpg')}`,
    );
  });
});

it('takes the ids from the sample_id column', async () => {
  expect(await idsOf('list.csv', 'sample_id,path\nfirst,1.jpg\n2,2.jpg\n')).toEqual(['first', '2']);
  expect(await idsOf('list.jsonl', '{"sample_id":7,"path":"1.jpg"}\n{"sample_id":"b","path":"2.jpg"}')).toEqual([
    '7',
    'b',
  ]);
});

it('refuses an id that JavaScript cannot hold exactly', async () => {
  const refusal = await refusedList('list.jsonl', '{"path":"1.jpg","sample_id":12345678901234567890}');
  expect(refusal).toContain('line 1');
  expect(refusal).toContain('2^53');
});

it('refuses a row without a path or an id, naming its line', async () => {
  expect(await refusedList('list.csv', 'path,label\n1.jpg,a\n\n,b\n')).toContain('line 4');
  expect(await refusedList('list.csv', 'path,sample_id\n1.jpg,a\n2.jpg,\n')).toContain('line 3');
  expect(await refusedList('list.jsonl', '{"path":"1.jpg"}\n\n{"label":"a"}')).toContain('line 3');
});

it.each(['sample_id', 'uri', 'sha256', 'width', 'height', 'status', 'error_code', 'error_message'])(
  'refuses a carried column named %s, which every output row has',
  async name => {
    const header = name === 'sample_id' ? 'path,Sample_ID,sample_id' : `path,id,${name}`;
    expect(await refusedList('list.csv', `${header}\n1.jpg,1,2\n`)).toContain(`list_${name}`);
  },
);

it('refuses two columns of one name', async () => {
  expect(await refusedList('list.csv', 'path,label,label\n1.jpg,a,b\n')).toContain('`label` twice');
});

it('carries the other columns of a separated list as text, empty as null', async () => {
  const text = '\ufeff,path,label,note\r\n0,1.jpg,cat,"a ""quoted"", long\nnote"\r\n1,2.jpg,,\r\n';
  const { carried, samples } = await readList('list.csv', text);
  expect(carried).toEqual(['column_1', 'label', 'note'].map(name => ({ name, type: 'utf8' })));
  expect(samples.map(sample => sample.carried)).toEqual([
    ['0', 'cat', 'a "quoted", long\nnote'],
    ['1', null, null],
  ]);
});

it('refuses broken rows of a separated list, naming their line behind blank and folded ones', async () => {
  const head = 'path,label\n1.jpg,"two\nlines"\n\n';
  expect(await refusedList('list.csv', `${head}2.jpg\n`)).toContain('line 5');
  expect(await refusedList('list.csv', `${head}2.jpg,a,b\n`)).toContain('line 5');
  expect(await refusedList('list.csv', `${head}2.jpg,"a"b\n`)).toContain('line 5');
  expect(await refusedList('list.csv', `${head}2.jpg,"open\n3.jpg,c\n`)).toContain('Quote Not Closed');
});

it('infers the types of a JSON Lines list', async () => {
  const records = [
    {
      path: '1.jpg',
      whole: 1,
      real: 1,
      flag: true,
      text: 'a',
      mixed: 'a',
      list: [1, { a: null }],
      rare: null,
      gap: null,
    },
    { path: '2.jpg', whole: -2, real: 0.5, flag: false, text: '', mixed: 2, list: null, gap: 5, late: 'x' },
    { path: '3.jpg' },
  ];
  const { carried, samples } = await readList('list.jsonl', records.map(record => JSON.stringify(record)).join('\r\n'));
  expect(carried).toEqual([
    { name: 'whole', type: 'int64' },
    { name: 'real', type: 'float64' },
    { name: 'flag', type: 'bool' },
    { name: 'text', type: 'utf8' },
    { name: 'mixed', type: 'utf8' },
    { name: 'list', type: 'utf8' },
    { name: 'rare', type: 'utf8' },
    { name: 'gap', type: 'int64' },
    { name: 'late', type: 'utf8' },
  ]);
  expect(samples.map(sample => sample.carried)).toEqual([
    [1n, 1, true, 'a', '"a"', '[1,{"a":null}]', null, null, null],
    [-2n, 0.5, false, '', '2', null, null, 5n, 'x'],
    [null, null, null, null, null, null, null, null, null],
  ]);
});

it('refuses, naming the line, what does not fit the types that the first 1,000 records decided', async () => {
  const head = Array.from({ length: 1_000 }, (_, at) => JSON.stringify({ path: `${at}.jpg`, label: at })).join('\n');
  const wrong = await refusedList('list.ndjson', `${head}\n{"path":"x.jpg","label":1.5}`);
  expect(wrong).toContain('line 1001');
  expect(wrong).toContain('int64 for `label`');
  expect(await refusedList('list.ndjson', `${head}\n{"path":"x.jpg","extra":1}`)).toContain('`extra`');
});

it('refuses broken JSON, naming its line', async () => {
  expect(await refusedList('list.jsonl', '{"path":"1.jpg"}\n{"path":"2.jpg"')).toContain('line 2');
  expect(await refusedList('list.jsonl', '{"path":"1.jpg"}\n["2.jpg"]')).toContain('one JSON object');
  expect(await refusedList('list.jsonl', '{"path":"1.jpg"}\nnull')).toContain('one JSON object');
  expect(await refusedList('list.jsonl', '{"path":"1.jpg"}\n{"path":5}')).toContain('line 2');
});
