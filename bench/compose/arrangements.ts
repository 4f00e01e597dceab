// Runs the same images through `extract` in a container, or through a number of workers as docker-compose.yml starts them.
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ComposeProject } from '../../test/compose/compose.ts';
import type { BenchInputs } from '../inputs.ts';
import type { Arrangement, Bound } from './options.ts';
import { type Course, readCourse } from './timeline.ts';

/** Folders of this machine that the containers see. */
export interface Folders {
  /** As /photos: images, list and recipe. */
  readonly photos: string;
  /** As /models. */
  readonly models: string;
  /** As /out. */
  readonly out: string;
}

export interface RunInput {
  readonly project: ComposeProject;
  readonly folders: Folders;
  readonly image: string;
  /** Of docker-compose.yml. */
  readonly variables: Readonly<Record<string, string>>;
  readonly cgroupParent: string;
  readonly cpus: number;
}

const MINUTE = 60_000;

/** Puts the images beside a list that names them relative to itself: inside the containers the paths are others. */
export async function copyInputs(inputs: BenchInputs, photos: string): Promise<void> {
  await mkdir(join(photos, 'images'), { recursive: true });
  const copies = new Map([...new Set(inputs.images)].map((path, index) => [path, `images/${index}.jpg`]));
  for (const [path, copy] of copies) await copyFile(path, join(photos, copy));
  await copyFile(inputs.recipeFile, join(photos, 'recipe.json'));
  const rows = inputs.images.map((path, index) => ({
    sample_id: String(index).padStart(7, '0'),
    path: copies.get(path),
  }));
  await writeFile(join(photos, 'list.jsonl'), `${rows.map(row => JSON.stringify(row)).join('\n')}\n`);
}

/** Variables of docker-compose.yml for these inputs. */
export function variablesOf(inputs: BenchInputs, folders: Folders): Readonly<Record<string, string>> {
  return {
    LAYERTAP_PHOTOS: folders.photos,
    LAYERTAP_MODELS: folders.models,
    LAYERTAP_OUTPUT: folders.out,
    LAYERTAP_SOURCE: '/photos/list.jsonl',
    LAYERTAP_RECIPE: '/photos/recipe.json',
    LAYERTAP_MODEL: `/models/${basename(inputs.model)}`,
    LAYERTAP_LAYER: inputs.layer,
    LAYERTAP_POOL: 'mean',
  };
}

export function modelFolder(inputs: BenchInputs): string {
  return dirname(inputs.model);
}

/** Compiles the model and chooses the engine, which every later run finds in the cache. */
export async function warmCache(input: RunInput): Promise<void> {
  await runExtract(input, 'warm', ['--limit', '64']);
  await rm(join(input.folders.out, 'warm'), { recursive: true });
}

export async function runArrangement(input: RunInput, arrangement: Arrangement, bound: Bound): Promise<Course> {
  const name = `${arrangement}-${bound}`;
  const folder = join(input.folders.out, name);
  const workers = arrangement === 'extract' ? 1 : Number(arrangement);
  const cpus = bound === 'limited' ? String(Number((input.cpus / workers).toFixed(3))) : '0';
  const startedAt = Date.now();
  const logs =
    arrangement === 'extract'
      ? await runExtract(input, name, ['--cpus', cpus])
      : await runWorkers(input, name, cpus, workers);
  const course = await readCourse(folder, logs, startedAt);
  await rm(folder, { recursive: true });
  return course;
}

/** `--cpus` is one for the container, every other flag one for `extract`. */
async function runExtract(input: RunInput, name: string, flags: readonly string[]): Promise<string> {
  const { project, image, folders, cgroupParent } = input;
  const container = `${project.name}-${name}`;
  const [flag, value] = flags[0] === '--cpus' ? flags : ['--cpus', '0'];
  const mounts = [
    `${folders.photos}:/photos:ro`,
    `${folders.models}:/models:ro`,
    `${folders.out}:/out`,
    `${project.name}_cache:/var/cache/layertap`,
  ];
  const variables = Object.entries(input.variables).filter(([key]) => !/_(PHOTOS|MODELS|OUTPUT|SOURCE)$/.test(key));
  const extract = ['layertap', 'extract', input.variables.LAYERTAP_SOURCE ?? '', '--out', `/out/${name}`, '--json'];
  const args = [
    ...['run', '--detach', '--name', container, '--init', '--read-only', '--tmpfs', '/tmp', '--network', 'none'],
    ...['--cgroup-parent', cgroupParent, flag ?? '', value ?? ''],
    ...mounts.flatMap(mount => ['--volume', mount]),
    ...variables.flatMap(([key, text]) => ['--env', `${key}=${text}`]),
    ...[image, ...extract, ...(flags[0] === '--cpus' ? [] : flags)],
  ];
  try {
    await project.docker(args);
    const status = await project.docker(['wait', container], 60 * MINUTE);
    const { stdout, stderr } = await project.tryDocker(['logs', container]);
    if (status !== '0') throw new Error(`extract ended with ${status}: ${stderr.slice(-2000)}`);
    return `${stdout}\n${stderr}`;
  } finally {
    await project.tryDocker(['rm', '--force', container]);
  }
}

async function runWorkers(input: RunInput, name: string, cpus: string, workers: number): Promise<string> {
  const { project } = input;
  const changes = { LAYERTAP_OUT: `/out/${name}`, LAYERTAP_WORKER_CPUS: cpus };
  try {
    await project.compose(['up', '--detach', '--no-build', '--scale', `worker=${workers}`], 5 * MINUTE, changes);
    const [producer] = await project.containers('producer');
    // One process that sleeps: asking every half a second took a tenth of the machine.
    const exitCode = await project.docker(['wait', producer?.id ?? ''], 60 * MINUTE);
    const logs = await project.compose(
      ['logs', '--no-color', '--no-log-prefix', 'worker', 'producer'],
      MINUTE,
      changes,
    );
    if (exitCode === '0') return logs;
    throw new Error(`the producer ended with ${exitCode}: ${logs.slice(-2000)}`);
  } finally {
    // The volumes stay: the cache of compiled models among them.
    await project.compose(['down', '--timeout', '5'], 2 * MINUTE, changes);
  }
}
