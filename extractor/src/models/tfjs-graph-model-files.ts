// The files of a TensorFlow.js graph model: its nodes and inputs from model.json, its weight shards checked for wholeness.
import { dirname } from 'node:path';
import { z } from 'zod';
import { Refusal } from '../../../shared/src/errors.ts';
import type { GraphShape } from './graph-nodes.ts';
import { type ModelJson, refuseLayout } from './model-json.ts';
import { checkWeightGroup, type WeightFile, WeightSpec } from './tfjs-weights.ts';

/** TensorShapeProto as JSON: 64-bit numbers are strings, and what is 0 may be left out. */
const ShapeJson = z.looseObject({
  dim: z.array(z.looseObject({ size: z.union([z.string(), z.number()]).optional() })).optional(),
  unknownRank: z.boolean().optional(),
});
export type ShapeJson = z.output<typeof ShapeJson>;

const Attribute = z.looseObject({
  shape: ShapeJson.optional(),
  type: z.union([z.string(), z.number()]).optional(),
  i: z.union([z.string(), z.number()]).optional(),
  list: z.looseObject({ shape: z.array(ShapeJson).optional() }).optional(),
});

const Node = z.looseObject({
  name: z.string(),
  op: z.string(),
  input: z.array(z.string()).optional(),
  attr: z.record(z.string(), Attribute).optional(),
});
export type NodeJson = z.output<typeof Node>;

const TensorInfo = z.looseObject({
  name: z.string(),
  dtype: z.union([z.string(), z.number()]).optional(),
  tensorShape: ShapeJson.optional(),
});
const Signature = z.looseObject({
  inputs: z.record(z.string(), TensorInfo).optional(),
  outputs: z.record(z.string(), TensorInfo).optional(),
});

const GraphModelJson = z.looseObject({
  modelTopology: z.looseObject({ node: z.array(Node).min(1) }),
  weightsManifest: z.array(z.looseObject({ paths: z.array(z.string()), weights: z.array(WeightSpec) })).default([]),
  signature: Signature.nullish(),
  userDefinedMetadata: z.looseObject({ signature: Signature.nullish() }).nullish(),
});
export type Signature = z.output<typeof Signature>;

export interface GraphModelFiles {
  readonly format: 'tfjs-graph';
  /** Absolute path of model.json. */
  readonly path: string;
  /** As TensorFlow.js wants it: unchecked beyond the nodes' outline. */
  readonly topology: z.output<typeof GraphModelJson>['modelTopology'];
  readonly signature: Signature | undefined;
  /** In the order of their bytes in `weightFiles`. */
  readonly weightSpecs: readonly WeightSpec[];
  readonly weightFiles: readonly WeightFile[];
}

/**
 * Looks at the size of every weight file; reads no weights.
 * @throws Refusal `model-unreadable`
 */
export async function readGraphModelFiles({ path: file, json: unchecked }: ModelJson): Promise<GraphModelFiles> {
  const json = parse(file, unchecked);
  const weightFiles: WeightFile[] = [];
  for (const group of json.weightsManifest) {
    weightFiles.push(...(await checkWeightGroup(dirname(file), group.paths, group.weights)));
  }
  const weightSpecs = json.weightsManifest.flatMap(group => group.weights);
  requireConstants(file, json.modelTopology.node, weightSpecs);
  return {
    format: 'tfjs-graph',
    path: file,
    topology: json.modelTopology,
    signature: json.signature ?? json.userDefinedMetadata?.signature ?? undefined,
    weightSpecs,
    weightFiles,
  };
}

/** A shape as JSON holds it; undefined where even the rank is open. */
export function shapeOf(json: ShapeJson | undefined): GraphShape | undefined {
  if (json === undefined || json.unknownRank === true) return undefined;
  return (json.dim ?? []).map(({ size = 0 }) => (Number(size) >= 0 ? Number(size) : null));
}

/** Every constant's values stand in the shards. */
function requireConstants(file: string, nodes: readonly NodeJson[], specs: readonly WeightSpec[]): void {
  const known = new Set(specs.map(spec => spec.name));
  const absent = nodes.find(node => node.op === 'Const' && !known.has(node.name));
  if (absent === undefined) return;
  throw new Refusal('model-unreadable', `Expected weights for '${absent.name}' in ${file} but it names none`, {
    hint: 'The file may be damaged, or its list of weights incomplete: copy or convert the model again.',
  });
}

function parse(file: string, json: unknown): z.output<typeof GraphModelJson> {
  const parsed = GraphModelJson.safeParse(json);
  if (parsed.success) return parsed.data;
  throw refuseLayout(file, 'graph model', parsed.error);
}
