// How a shard in an engine process comes to no receipt: by the process' own word, or by its death. For engine-client.ts.
import type { FailureKind } from './worker-messages.ts';

/** The engine process itself said that it will not finish a shard. */
export class EngineFailure extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string) {
    super(message);
    this.name = 'EngineFailure';
    this.kind = kind;
  }
}

/** The process ended before it had answered. */
export class EngineDeath extends Error {
  override readonly name = 'EngineDeath';
  /** Completes the sentence "engine process …". */
  readonly how: string;

  constructor(how: string, doing: string) {
    super(`engine process ${how}${doing}`);
    this.how = how;
  }
}
