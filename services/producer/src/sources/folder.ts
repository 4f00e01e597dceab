// A folder as a source: every image below it, sorted; class folders become the `label` column.
import { stat } from 'node:fs/promises';
import type { SourceFormat } from '../source.ts';
import { openImageTree } from './image-tree.ts';

export const folderFormat: SourceFormat = {
  kind: 'folder',
  accepts: 'a folder of images',
  recognises: isDirectory,
  open: (location, { followLinks = false, splits }) =>
    openImageTree({ kind: 'folder', location, root: location, walk: { followLinks }, splits }),
};

async function isDirectory(location: string): Promise<boolean> {
  try {
    return (await stat(location)).isDirectory();
  } catch {
    // openSource says what stands in the way, once no format takes the location.
    return false;
  }
}
