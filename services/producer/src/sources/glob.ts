// A glob as a source: the images it matches, in the order of the folder source.
import picomatch from 'picomatch';
import type { SourceFormat } from '../source.ts';
import { openImageTree } from './image-tree.ts';

export const globFormat: SourceFormat = {
  kind: 'glob',
  accepts: 'a glob such as "photos/**/*.jpg"',
  recognises: async location => {
    const { isGlob, negated } = picomatch.scan(location);
    return isGlob && !negated;
  },
  open: async (location, { followLinks = false, splits }) => {
    const { base, glob } = picomatch.scan(location);
    // Our own walk instead of a library's: its order is fixed, and it holds one directory at a time.
    const walk = { matches: picomatch(glob), maxDepth: countDirectories(glob), followLinks };
    return openImageTree({ kind: 'glob', location, root: withoutEscapes(base) || '.', walk, splits });
  },
};

/** How deep a match can lie below the base: without it, `/data/*.jpg` would walk all of /data. */
function countDirectories(glob: string): number {
  // Globstars, and extglobs such as `+(a/)`, match any number of directories.
  if (glob.includes('**') || glob.includes('(')) return Number.POSITIVE_INFINITY;
  return glob.split('/').length - 1;
}

/** The static part as a path: `photos \[2020\]` is the folder `photos [2020]`. */
function withoutEscapes(base: string): string {
  return base.replace(/\\(.)/g, '$1');
}
