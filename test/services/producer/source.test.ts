import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openSource } from '../../../services/producer/src/source.ts';
import { refusalOf } from './sources/source-conformance.ts';
import { makeTemporary, writeText } from './sources/temporary.ts';

it('says what is accepted when the location does not exist', async () => {
  const missing = join(await makeTemporary(), 'photos');
  const { code, message, hint } = await refusalOf(openSource(missing));
  expect(code).toBe('source-unreadable');
  expect(message).toContain(missing);
  expect(message).toContain('ENOENT');
  for (const word of ['folder', 'glob', '.txt', '.csv', '.tsv', '.jsonl', '.ndjson', '.parquet'])
    expect(hint).toContain(word);
});

it('says what is accepted when the location is a file of another kind', async () => {
  const file = await writeText(join(await makeTemporary(), 'photos.zip'), 'PK');
  const { message, hint } = await refusalOf(openSource(file));
  expect(message).toContain('a file that is no list');
  expect(hint).toContain('.parquet');
});
