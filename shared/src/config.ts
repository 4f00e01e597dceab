// What messages need to know of the place where this process runs: shared's only reader of the environment.

export interface Place {
  /** How the user starts `layertap` here. `LAYERTAP_COMMAND` @default 'npx layertap' */
  readonly command: string | undefined;
  /** What stands here for `layertap setup`. `LAYERTAP_SETUP_COMMAND` @default 'npx layertap setup' */
  readonly setupCommand: string | undefined;
  /** `layertap resume` queues by itself. `LAYERTAP_REDIS` */
  readonly queues: boolean;
  /** Which folders of the user's stand where, for one whose paths are others in here. `LAYERTAP_MOUNTS` @default they are the same */
  readonly mounts: string | undefined;
}

export function placeOfProcess(environment: Readonly<Record<string, string | undefined>> = process.env): Place {
  const read = (name: string): string | undefined => environment[name]?.trim() || undefined;
  return {
    command: read('LAYERTAP_COMMAND'),
    setupCommand: read('LAYERTAP_SETUP_COMMAND'),
    queues: read('LAYERTAP_REDIS') !== undefined,
    mounts: read('LAYERTAP_MOUNTS'),
  };
}
