// Several values in one text, as a flag or a variable gives them: `conv3,features`. For options.ts.

/** For help and documents. */
export const LIST_RULE =
  'A comma separates values, in a flag as in the environment, and a flag may be given more than once. It separates nothing inside /a regex, of layers/, {braces} and [brackets]; anywhere else a comma of the value itself is written `\\,` (in a URL `%2C`).';

/**
 * A regular expression at the start of an entry, with the model's name before it or without. One that ends in a comma is
 * none: `/photos,/models` are two folders. Inside it a slash is written `\/`.
 */
const REGEX = /^(?:[^,/:]+\/)?\/(?:\\.|[^\\/])*[^\\/,]\/[dgimsuvy]*(?=\s*(?:,|$))/;
const CLOSING: Readonly<Record<string, string>> = { '{': '}', '[': ']' };

/** The values in their order, without spaces around them; an empty one is kept, for the option's own check. */
export function splitList(text: string): readonly string[] {
  const values: string[] = [];
  let rest = text;
  for (;;) {
    rest = rest.trimStart();
    const { value, length } = firstValue(rest);
    values.push(value.trimEnd());
    if (length >= rest.length) return values;
    rest = rest.slice(length + 1);
  }
}

/** The value up to the first comma that separates, and how much of the text it takes. */
function firstValue(text: string): { readonly value: string; readonly length: number } {
  const regex = REGEX.exec(text)?.[0];
  if (regex !== undefined) return { value: regex, length: text.length - text.slice(regex.length).trimStart().length };
  let value = '';
  let at = 0;
  while (at < text.length && text[at] !== ',') {
    const taken = takeFrom(text, at);
    value += taken.value;
    at += taken.length;
  }
  return { value, length: at };
}

function takeFrom(text: string, at: number): { readonly value: string; readonly length: number } {
  // Other backslashes stay what they are: a folder on Windows, part of a pattern.
  if (text.startsWith('\\,', at)) return { value: ',', length: 2 };
  if (text.startsWith('\\\\,', at)) return { value: '\\', length: 2 };
  const closing = CLOSING[text[at] ?? ''];
  // Without its other half a bracket is a character like any other.
  const end = closing === undefined ? -1 : text.indexOf(closing, at);
  const length = end === -1 ? 1 : end + 1 - at;
  return { value: text.slice(at, at + length), length };
}
