// npm run bench:compose: workers in containers beside `extract` in the same image, in turn, under one control group.
import { appendFile, chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Refusal } from '../../shared/src/errors.ts';
import { createLifecycle } from '../../shared/src/lifecycle.ts';
import { openComposeProject, removeLeftProjects, whyNoCompose } from '../../test/compose/compose.ts';
import { prepareInputs } from '../inputs.ts';
import { describeMachine } from '../machine.ts';
import { copyInputs, modelFolder, type RunInput, runArrangement, variablesOf, warmCache } from './arrangements.ts';
import { openCgroupParent } from './cgroup-parent.ts';
import { COMPOSE_BENCH_HELP, type ComposeBenchOptions, parseComposeBenchOptions } from './options.ts';
import { type ComposeRow, formatComposeResults } from './report.ts';
import type { Course } from './timeline.ts';

const BUILD_MS = 30 * 60_000;
const SERVICES = ['redis', 'demo-images', 'producer', 'worker'];

const lifecycle = createLifecycle({ onFirst: () => note('ending after the run in hand') });
await lifecycle.run(async () => {
  const options = parseComposeBenchOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(COMPOSE_BENCH_HELP);
  else await bench(options);
  return 0;
});

async function bench(options: ComposeBenchOptions): Promise<void> {
  const reason = await whyNoCompose();
  if (reason !== undefined) throw new Refusal('engine-unavailable', `Docker and compose v2 are needed: ${reason}`);
  await removeLeftProjects();
  const machine = await describeMachine();
  const date = new Date().toISOString().slice(0, 10);
  const folder = await mkdtemp(join(tmpdir(), 'layertap-bench-compose-'));
  lifecycle.defer(() => rm(folder, { recursive: true, force: true }));
  const inputs = await prepareInputs(folder, options.images);
  const folders = { photos: join(folder, 'photos'), models: modelFolder(inputs), out: join(folder, 'out') };
  await copyInputs(inputs, folders.photos);
  await mkdir(folders.out);
  // The containers' user is another one than that of the benchmark.
  await chmod(folder, 0o755);
  await chmod(folders.out, 0o777);
  const variables = { ...variablesOf(inputs, folders), LAYERTAP_WORKER_TARGET: options.target };
  const parent = await openCgroupParent(`layertap-bench-${process.pid}`);
  lifecycle.defer(() => parent.remove());
  const override = Object.fromEntries(SERVICES.map(service => [service, { cgroup_parent: parent.name }]));
  const project = openComposeProject(variables, { kind: 'bench', override });
  lifecycle.defer(() => project.close());
  note('building the image');
  await project.compose(['build', 'worker'], BUILD_MS);
  const image = `${project.name}:${options.target}`;
  const input: RunInput = { project, folders, image, variables, cgroupParent: parent.name, cpus: options.cpus };
  note('compiling the model');
  await warmCache(input);
  const rows = options.bounds.flatMap(bound =>
    options.arrangements.map(arrangement => ({ arrangement, bound, courses: [] as Course[] })),
  );
  for (let round = 1; round <= options.rounds; round++) {
    for (const { arrangement, bound, courses } of rows) {
      lifecycle.stopping.throwIfAborted();
      const course = await runArrangement(input, arrangement, bound);
      courses.push(course);
      const name = arrangement === 'extract' ? 'extract' : `workers: ${arrangement}`;
      note(`round ${round}, ${name}, ${bound}: ${course.imagesPerSecond.toFixed(1)} images/s`);
    }
  }
  const results = {
    version: 1 as const,
    date,
    machine,
    images: { count: options.images, name: inputs.names.images },
    model: { name: inputs.names.model, layer: inputs.layer },
    options: { cpus: options.cpus, target: options.target, rounds: options.rounds },
    rows: rows as readonly ComposeRow[],
  };
  process.stdout.write(formatComposeResults(results));
  if (options.out === undefined) return;
  await mkdir(dirname(options.out), { recursive: true });
  await appendFile(options.out, `${JSON.stringify(results)}\n`);
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
