// One compose project of this repository under a name of its own, for tests and benches that need an engine; gone when it is
// closed.

import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type CommandResult, describeFailure, runCommand } from '../../setup/src/command.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** What a killed test left is removed after this time by the next one; no test takes as long. */
const LEFT_AFTER_MS = 2 * 3_600_000;
/** The time is when it was opened, in milliseconds. */
const PROJECT_NAME = /^layertap-(?:test|bench)-(\d+)-[0-9a-f]+$/;
const BASE_IMAGES = ['node:20-bookworm-slim', 'redis:7-alpine'];

export interface Container {
  readonly id: string;
  readonly service: string;
  readonly status: string;
  readonly exitCode: number;
  /** Undefined where the service has no health check. */
  readonly health: string | undefined;
  readonly hostname: string;
}

export interface ProjectOptions {
  readonly kind: 'test' | 'bench';
  /** Of services, over what docker-compose.yml says. @default none */
  readonly override?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export interface ComposeProject {
  /** Of containers, networks, volumes (NAME_cache) and the image (NAME:TARGET). */
  readonly name: string;
  /** Runs `docker compose ARGS`; throws with the services' last lines where it fails. */
  compose(args: readonly string[], timeoutMs: number, changes?: Environment): Promise<string>;
  /** As compose(), for commands that may fail. */
  tryCompose(args: readonly string[], timeoutMs: number, changes?: Environment): Promise<CommandResult>;
  docker(args: readonly string[], timeoutMs?: number): Promise<string>;
  /** As docker(), for commands that are to fail. */
  tryDocker(args: readonly string[]): Promise<CommandResult>;
  containers(service: string): Promise<readonly Container[]>;
  /** Removes containers, networks, volumes and the image. */
  close(): Promise<void>;
}

/** Variables of docker-compose.yml that one command has others of than the project. */
type Environment = Readonly<Record<string, string | undefined>>;

/** Why no project can be opened here; undefined where one can. */
export async function whyNoCompose(): Promise<string | undefined> {
  const engine = await runCommand('docker', ['version', '--format', '{{.Server.Version}}'], { timeoutMs: 10_000 });
  if (!engine.ok) return `no Docker engine answers (${describeFailure('docker version', engine)})`;
  const compose = await runCommand('docker', ['compose', 'version', '--short'], { timeoutMs: 10_000 });
  if (!compose.ok || !compose.stdout.trim().replace(/^v/, '').startsWith('2')) return 'docker has no compose v2';
  for (const image of BASE_IMAGES) {
    if ((await runCommand('docker', ['image', 'inspect', image], { timeoutMs: 10_000 })).ok) continue;
    const pulled = await runCommand('docker', ['pull', '-q', image], { timeoutMs: 180_000 });
    if (!pulled.ok) return `the engine neither has nor gets the image ${image}`;
  }
  return undefined;
}

/** `variables` are those of docker-compose.yml; the caller's own and a .env file don't count. */
export function openComposeProject(
  variables: Readonly<Record<string, string>>,
  { kind, override }: ProjectOptions = { kind: 'test' },
): ComposeProject {
  const name = `layertap-${kind}-${Date.now()}-${randomBytes(4).toString('hex')}`;
  const cleared = Object.keys(process.env).filter(key => /^(LAYERTAP|COMPOSE)_/.test(key));
  const env = {
    ...Object.fromEntries(cleared.map(key => [key, undefined])),
    ...variables,
    LAYERTAP_IMAGE: name,
  };
  const common = ['compose', '--project-name', name, '--env-file', '/dev/null', '--progress', 'plain'];
  // JSON is YAML: the second file comes from standard input.
  if (override !== undefined) common.push('--file', 'docker-compose.yml', '--file', '-');
  const input = override === undefined ? '' : JSON.stringify({ services: override });
  const run = (args: readonly string[], timeoutMs: number, changes: Environment = {}): Promise<CommandResult> =>
    runCommand('docker', args, { cwd: ROOT, env: { ...env, ...changes }, timeoutMs, input });

  async function docker(args: readonly string[], timeoutMs = 60_000, changes: Environment = {}): Promise<string> {
    const result = await run(args, timeoutMs, changes);
    if (!result.ok)
      throw new Error(`${describeFailure(`docker ${args.join(' ')}`, result)}\n${result.stderr.slice(-4000)}`);
    return result.stdout.trim();
  }

  return {
    name,
    docker,
    tryDocker: args => run(args, 60_000),
    tryCompose: (args, timeoutMs, changes) => run([...common, ...args], timeoutMs, changes),
    async compose(args, timeoutMs, changes): Promise<string> {
      try {
        return await docker([...common, ...args], timeoutMs, changes);
      } catch (error) {
        const logs = await run([...common, 'logs', '--no-color', '--tail', '20'], 30_000);
        throw new Error(`${error instanceof Error ? error.message : error}\n${logs.stdout.slice(-8000)}`, {
          cause: error,
        });
      }
    },
    async containers(service): Promise<readonly Container[]> {
      const ids = await docker([...common, 'ps', '--all', '--quiet', service]);
      if (ids === '') return [];
      const inspected = JSON.parse(await docker(['inspect', ...ids.split('\n')])) as readonly Inspected[];
      return inspected.map(({ Id, Config, State }) => ({
        id: Id,
        service,
        status: State.Status,
        exitCode: State.ExitCode,
        health: State.Health?.Status,
        hostname: Config.Hostname,
      }));
    },
    close: () => removeProject(name),
  };
}

/** Removes the projects of tests that were killed. */
export async function removeLeftProjects(): Promise<void> {
  const listed = await runCommand('docker', ['compose', 'ls', '--all', '--quiet'], { timeoutMs: 30_000 });
  for (const name of listed.stdout.split('\n')) {
    const opened = PROJECT_NAME.exec(name)?.[1];
    if (opened !== undefined && Date.now() - Number(opened) > LEFT_AFTER_MS) await removeProject(name);
  }
}

async function removeProject(name: string): Promise<void> {
  const down = ['compose', '--project-name', name, 'down', '--volumes', '--remove-orphans', '--timeout', '5'];
  await runCommand('docker', down, { cwd: ROOT, timeoutMs: 120_000 });
  // Those that a test mounted in containers of its own have no label of compose's.
  const volumes = await runCommand('docker', ['volume', 'ls', '--quiet', '--filter', `name=${name}_`], {
    timeoutMs: 30_000,
  });
  const names = volumes.stdout.split('\n').filter(volume => volume !== '');
  if (names.length > 0) await runCommand('docker', ['volume', 'rm', ...names], { timeoutMs: 60_000 });
  // Fails for the target that was not built.
  await runCommand('docker', ['image', 'rm', '--force', `${name}:onnx`, `${name}:tensorflow`], { timeoutMs: 60_000 });
}

/** What is read of `docker inspect`. */
interface Inspected {
  readonly Id: string;
  readonly Config: { readonly Hostname: string };
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly Health?: { readonly Status: string };
  };
}
