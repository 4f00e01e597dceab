// Advice as it can be followed where it is read: messages say `npx layertap`, which a user of containers has nowhere to type.
import { type Place, placeOfProcess } from './config.ts';
import { hasErrorCode, type Refusal, type RefusalCode } from './errors.ts';

/** The text with the commands of this place. For whatever writes to the user: log, standard error, standard output. */
export function fitAdvice(text: string, place: Place = placeOfProcess()): string {
  const { command, setupCommand, queues } = place;
  const withSetup = setupCommand === undefined ? text : text.replaceAll('npx layertap setup', setupCommand);
  if (command === undefined) return withSetup;
  const plain = queues ? withSetup.replaceAll(/(npx layertap resume \S+) --redis \S+/g, '$1') : withSetup;
  return plain.replaceAll('npx layertap', command);
}

/** Refusals that may only mean that a path is one of the user's machine, or a folder is not mounted. */
const OF_PATHS: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  'source-unreadable',
  'model-unreadable',
  'output-unwritable',
  'run-missing',
]);
const PATH_ERRORS = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS'];

/** What a path is in here, where the error is about one that is missing, empty or closed. */
export function pathAdvice(error: Refusal, { mounts }: Place = placeOfProcess()): string | undefined {
  const isOfPath = error.code === 'run-missing' || PATH_ERRORS.some(code => hasErrorCode(error.cause, code));
  return OF_PATHS.has(error.code) && (error.emptyPath !== undefined || isOfPath) ? mounts : undefined;
}
