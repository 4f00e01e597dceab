// Several values in one text: what a comma separates, and what it does not.
import { describe, expect, it } from 'vitest';
import { splitList } from '../../shared/src/list-option.ts';

describe('a comma', () => {
  it.each<[string, string, readonly string[]]>([
    ['separates names', 'conv3,features', ['conv3', 'features']],
    ['may have spaces beside it', ' conv3 , features ', ['conv3', 'features']],
    ['leaves an empty value where there is none', 'conv3,,features,', ['conv3', '', 'features', '']],
    ['separates folders', '/photos,/models', ['/photos', '/models']],
    ['separates folders that end in a slash', '/data/a/,/data/b/', ['/data/a/', '/data/b/']],
    ['separates what is before and after a regex', 'a,/^b{1,2}$/i , c', ['a', '/^b{1,2}$/i', 'c']],
    ['is part of a regex', '/a,b/', ['/a,b/']],
    ['is part of a regex with an escaped slash', String.raw`/a\/b,c/,d`, [String.raw`/a\/b,c/`, 'd']],
    ['is part of a regex of one model', 'first//a,b/,second/c', ['first//a,b/', 'second/c']],
    ['is part of what stands in braces', '{a,b}_add,c', ['{a,b}_add', 'c']],
    ['is part of what stands in brackets', 'x[1,2],c', ['x[1,2]', 'c']],
    ['separates behind a bracket that nothing closes', 'x[1,2', ['x[1', '2']],
    ['is part of a value behind a backslash', String.raw`a\,b,c`, ['a,b', 'c']],
    ['separates behind two backslashes', String.raw`C:\models\\,D:\more`, ['C:\\models\\', 'D:\\more']],
    ['separates URLs', 'https://a/b%2Cc.onnx#sha256=1,https://d/', ['https://a/b%2Cc.onnx#sha256=1', 'https://d/']],
  ])('%s', (_, text, values) => {
    expect(splitList(text)).toEqual(values);
  });

  it('is not needed for one value', () => {
    for (const text of ['conv3', '/photos', '/^x/', 'block_*', '-1', '']) expect(splitList(text)).toEqual([text]);
  });
});
