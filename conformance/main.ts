// npm run conformance: every architecture of keras.applications against real Keras, and a report in docs/conformance.md.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describeMachine } from '../bench/machine.ts';
import { prepareStart } from '../setup/src/prepare.ts';
import { preparePythonPackages } from '../setup/src/python-packages.ts';
import { createLifecycle } from '../shared/src/lifecycle.ts';
import { compareJpegs, JpegResult } from './jpeg-to-feature.ts';
import { CONFORMANCE_HELP, type ConformanceOptions, parseConformanceOptions } from './options.ts';
import { findPhotos, pickPhotos } from './photos.ts';
import { listArchitectures } from './reference.ts';
import { formatConformance } from './report.ts';
import { readResults } from './results.ts';
import { runArchitectures } from './run-architectures.ts';

/** 8 photos for the batch statistics and 4 that are compared. */
const REFERENCE_PHOTOS = 12;

const lifecycle = createLifecycle({ onFirst: () => say('stopping; the same command goes on from here') });
await lifecycle.run(async () => {
  const options = parseConformanceOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(CONFORMANCE_HELP);
    return 0;
  }
  return conform(options);
});

async function conform(options: ConformanceOptions): Promise<number> {
  const machine = await describeMachine();
  await mkdir(options.work, { recursive: true });
  const python = await preparePythonPackages('keras', { log: say });
  const photos = await findPhotos(join(options.work, 'images'));
  const photosFile = join(options.work, 'photos.json');
  const resultsFile = join(options.work, 'results.jsonl');
  const jpegFile = join(options.work, 'jpeg-to-feature.json');
  const results = await readResults(resultsFile);
  await writeFile(photosFile, JSON.stringify(pickPhotos(photos, REFERENCE_PHOTOS)));
  if (!options.reportOnly) {
    await prepareStart(say);
    const began = new Date().toISOString();
    await runArchitectures({
      ...{ options, python, photosFile, resultsFile, results, machine, began, say },
      signal: lifecycle.stopping,
    });
    if (options.photos > 0) {
      const files = pickPhotos(photos, options.photos);
      say(`from a JPEG to a feature, ${files.length} photos`);
      const jpeg = await compareJpegs({ python, photosFile, files, name: photos.name, work: options.work });
      await writeFile(jpegFile, JSON.stringify(jpeg));
    }
  }
  const all = [...results.values()];
  const text = formatConformance({
    results: all,
    architectures: await listArchitectures({ python, keras: 'keras' }),
    photos: `${REFERENCE_PHOTOS} ${photos.name}`,
    machine,
    command: `npm run conformance -- ${process.argv.slice(2).join(' ')}`.trim(),
    jpeg: await readJpeg(jpegFile),
  });
  await writeFile(resolve(options.out), text);
  say(`report: ${options.out}`);
  return all.some(({ status }) => status === 'failed' || status === 'invalid') ? 1 : 0;
}

async function readJpeg(path: string): Promise<JpegResult | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : JpegResult.parse(JSON.parse(text));
}

function say(line: string): void {
  process.stderr.write(`[conformance] ${line}\n`);
}
