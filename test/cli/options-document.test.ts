// The committed page of options is the one that the definitions give.
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { optionsDocument } from '../../cli/src/options-document.ts';

it('docs/options.md is what `npm run docs` writes', async () => {
  const committed = await readFile(new URL('../../docs/options.md', import.meta.url), 'utf8');
  expect(committed).toBe(await optionsDocument());
});
