// The table of commands: a new one is one file in commands/ and one line here.
import type { Command } from './command.ts';

/** Loaded when called: `layertap --help` must not wait for native libraries. */
export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  extract: async () => (await import('./commands/extract.ts')).extract,
  enqueue: async () => (await import('./commands/enqueue.ts')).enqueue,
  work: async () => (await import('./commands/work.ts')).work,
  status: async () => (await import('./commands/status.ts')).status,
  resume: async () => (await import('./commands/resume.ts')).resume,
  'retry-failed': async () => (await import('./commands/retry-failed.ts')).retryFailed,
  explain: async () => (await import('./commands/explain.ts')).explain,
  diff: async () => (await import('./commands/diff.ts')).diff,
  compact: async () => (await import('./commands/compact.ts')).compact,
  gc: async () => (await import('./commands/gc.ts')).gc,
  extend: async () => (await import('./commands/extend.ts')).extend,
  'add-layer': async () => (await import('./commands/add-layer.ts')).addLayer,
  verify: async () => (await import('./commands/verify.ts')).verify,
  show: async () => (await import('./commands/show.ts')).show,
  layers: async () => (await import('./commands/layers.ts')).layers,
  compile: async () => (await import('./commands/compile.ts')).compile,
  estimate: async () => (await import('./commands/estimate.ts')).estimate,
  certify: async () => (await import('./commands/certify.ts')).certify,
  fit: async () => (await import('./commands/fit.ts')).fit,
  demo: async () => (await import('./commands/demo.ts')).demo,
  setup: async () => (await import('./commands/setup.ts')).setup,
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
};
