// The manifest: the ordered list of all samples of a run, written before the first job, read shard by shard.

/** Types of carried columns: label and whatever else the source's list has. */
export const CARRIED_TYPES = ['utf8', 'int64', 'float64', 'bool'] as const;
export type CarriedType = (typeof CARRIED_TYPES)[number];
export type CarriedValue = string | bigint | number | boolean | null;

export interface CarriedColumn {
  readonly name: string;
  readonly type: CarriedType;
}

/** One image of the manifest. */
export interface Sample {
  readonly sampleId: string;
  /** Where the bytes are: an absolute path. */
  readonly uri: string;
  /** Values of the carried columns, in their order. */
  readonly carried: readonly CarriedValue[];
}
