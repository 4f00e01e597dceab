// Reads text files of any length in pieces, as UTF-8 or with a byte order mark as UTF-16, plain or gzipped: for the list source.
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { describeError, Refusal } from '../../../../shared/src/errors.ts';
import { refuseList } from './list-format.ts';

/** A longer line is taken for a file that is no list: it bounds the memory. */
export const MAX_LINE_CHARS = 1_048_576;

/** The text in pieces of at most 64 KB, without a byte order mark. */
export async function* readText(path: string): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined;
  let lines = 1;
  const decode = (bytes: Uint8Array | undefined): string => {
    try {
      decoder ??= new TextDecoder(encodingOf(bytes), { fatal: true });
      const text = bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
      if (text.includes('\0')) throw new TypeError('A NUL character, as in UTF-16 or binary data');
      return text;
    } catch (cause) {
      throw refuseText(path, lines, cause);
    }
  };
  for await (const bytes of readBytes(path)) {
    const text = decode(bytes);
    yield text;
    lines += countLineEnds(bytes);
  }
  yield decode(undefined);
}

/** The lines in order, without their ends (LF or CRLF), as many at a time as a piece of the file holds. */
export async function* readLines(path: string): AsyncGenerator<readonly string[]> {
  let rest = '';
  let number = 1;
  for await (const text of readText(path)) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_CHARS) {
      const received = `more than ${MAX_LINE_CHARS.toLocaleString('en-US')} characters without a line end`;
      throw refuseList({ path, place: `line ${number + lines.length}`, expected: 'lines of text', received });
    }
    number += lines.length;
    yield lines.map(withoutCarriageReturn);
  }
  if (rest !== '') yield [withoutCarriageReturn(rest)];
}

/** Excel and Notepad write UTF-16 with a mark at the beginning. @param first bytes of the file */
function encodingOf(first: Uint8Array | undefined): 'utf-8' | 'utf-16le' | 'utf-16be' {
  const [one, two] = first ?? [];
  if (one === 0xff && two === 0xfe) return 'utf-16le';
  return one === 0xfe && two === 0xff ? 'utf-16be' : 'utf-8';
}

async function* readBytes(path: string): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path);
  // What fails in the file is thrown by the reading of what comes out.
  const stream: AsyncIterable<Uint8Array> = /\.gz$/i.test(path)
    ? pipeline(file, createGunzip(), () => undefined)
    : file;
  try {
    yield* stream;
  } catch (cause) {
    throw new Refusal(
      'source-unreadable',
      `Expected a readable list for \`source\` but received "${path}" (${describeError(cause)})`,
      { cause },
    );
  }
}

function refuseText(path: string, line: number, cause: unknown): Refusal {
  return refuseList({
    path,
    place: `at or after line ${line}`,
    expected: 'UTF-8 text',
    received: 'other bytes',
    hint: 'Convert the list, for example with `iconv -f LATIN1 -t UTF-8`: a path in another encoding names another file.',
    cause,
  });
}

function countLineEnds(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}

function withoutCarriageReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
