// What a worker's parent and its engine process say to each other over IPC. For engine-client.ts and engine-process.ts.
import type { ShardJob } from '../../../shared/src/job.ts';
import type { LogLevel } from '../../../shared/src/logger.ts';

/** Parent → engine process. Every message survives JSON: fork's default serialization. */
export type ParentMessage = WarmMessage | WorkMessage | AbortMessage | CloseMessage;

/** About one shard, which `key` names: answered by `done` or `failed` with the same key. */
export type WorkMessage = ShardMessage | ProbeMessage | QuarantineMessage;

/** Engine process → parent. */
export type EngineMessage =
  | ReadyMessage
  | WarmedMessage
  | WarmFailedMessage
  | BegunMessage
  | ProgressMessage
  | DoneMessage
  | FailedMessage
  | LogMessage;

/** Load and warm the extractor of that job's run; answered by `warmed` or `warm-failed`, in the order asked. */
export interface WarmMessage {
  readonly type: 'warm';
  readonly job: ShardJob;
}

/** Work on one shard: publish its part and its receipt. */
export interface ShardMessage {
  readonly type: 'shard';
  /** `jobIdOf(job)`: names the shard in every later message. */
  readonly key: string;
  readonly job: ShardJob;
  readonly attempt: number;
}

/** Decode and infer those rows of a shard, and publish nothing: does the process live through them? */
export interface ProbeMessage {
  readonly type: 'probe';
  readonly key: string;
  readonly job: ShardJob;
  readonly attempt: number;
  /** Positions in the shard, ascending. Of none, only the extractor is made ready. */
  readonly rows: readonly number[];
}

/** Put the image of that row into quarantine: from then on the row fails without a look at the image. */
export interface QuarantineMessage {
  readonly type: 'quarantine';
  readonly key: string;
  readonly job: ShardJob;
  /** Position in the shard. */
  readonly row: number;
  /** How it ends a process that it is alone with. */
  readonly death: string;
}

/** Stop that shard and publish nothing; still answered, by `failed` (or by `done` where it came too late). */
export interface AbortMessage {
  readonly type: 'abort';
  readonly key: string;
}

/** Release the extractor and exit with status 0. */
export interface CloseMessage {
  readonly type: 'close';
}

/** Sent once, when the process can take messages. */
export interface ReadyMessage {
  readonly type: 'ready';
}

export interface WarmedMessage {
  readonly type: 'warmed';
  readonly fingerprint: string;
  readonly seconds: number;
  /** Model loads of this process since its start, this one included: 1 when it stayed warm. */
  readonly loads: number;
  /** What the process holds now. */
  readonly residentBytes: number;
}

export interface WarmFailedMessage {
  readonly type: 'warm-failed';
  readonly error: string;
}

/** The extractor is ready and the first batch is next: from here on, progress is to be seen. */
export interface BegunMessage {
  readonly type: 'begun';
  /** Images that are worked on between two signs of progress. */
  readonly batch: number;
}

/** After each batch: counts of this batch, not totals. */
export interface ProgressMessage extends ShardProgress {
  readonly type: 'progress';
}

export interface ShardProgress {
  readonly out: string;
  readonly runId: string;
  readonly shard: number;
  /** Rises when the shard is begun anew: what the attempts before have counted is void. */
  readonly attempt: number;
  /** Rows of this batch, failed ones included. */
  readonly rows: number;
  readonly failed: number;
  /** Seconds of this batch per stage: decode, infer, … */
  readonly seconds: Readonly<Record<string, number>>;
}

export interface DoneMessage {
  readonly type: 'done';
  readonly key: string;
  /** The shard's receipt as JSON; the parent passes it on and never looks inside. Undefined where there is none. */
  readonly receipt?: unknown;
  /** Memory that the process holds after it. */
  readonly residentBytes?: number;
}

/**
 * `retry`: another attempt may help. `refused`: none can. `declined`: another machine can, this one cannot.
 * `crashed`: a thread of the process died, which is as good as its own death.
 */
export type FailureKind = 'retry' | 'refused' | 'declined' | 'crashed';

export interface FailedMessage {
  readonly type: 'failed';
  readonly key: string;
  readonly kind: FailureKind;
  readonly message: string;
}

export interface LogMessage {
  readonly type: 'log';
  readonly level: LogLevel;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Other processes of this worker say the same. */
  readonly once?: true;
}
