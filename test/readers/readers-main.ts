// npm run test:readers: every reader of the output on every kind of column, oldest and newest versions. Status 1 where one reads
// otherwise than docs/reading.md says.
import { READER_SETS, tryReaders } from './matrix.ts';

let unexpected = 0;
for (const set of READER_SETS) {
  for (const { packages, reader, kind, failed, label, outcome, asKnown } of await tryReaders(set, console.error)) {
    if (!asKnown) unexpected++;
    const rows = `${failed} failed${label === undefined ? '' : ', one label'}`;
    console.log(`${asKnown ? ' ' : '!'} ${packages}  ${reader}  ${kind}  ${rows}: ${outcome.slice(0, 160)}`);
  }
}
console.log(unexpected === 0 ? 'all as known' : `${unexpected} otherwise than known`);
process.exitCode = unexpected === 0 ? 0 : 1;
