// TensorFlow for a run that can use it, before its engine is chosen: from the cache; from the network only where the user said so.
import { prepareTensorFlow, type TensorFlowStatus, takePrepared } from '../../setup/src/tensorflow-library.ts';
import type { Logger } from '../../shared/src/logger.ts';

export interface ReadyTensorFlow {
  /** The user's `--prepare`. */
  readonly prepare: boolean;
  readonly logger: Logger;
}

/** Says nothing where it is not there: who needs it, or goes on with a slower engine, knows what that means. */
export function readyTensorFlow({ prepare, logger }: ReadyTensorFlow): Promise<TensorFlowStatus> {
  const log = (line: string): void => logger.log('info', line);
  return prepare ? prepareTensorFlow({ log }) : takePrepared({ log });
}
