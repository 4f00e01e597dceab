// A TensorFlow.js model.json as JSON, before anybody knows more of it: for the readers of layers and of graph models.
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { hasErrorCode, Refusal } from '../../../shared/src/errors.ts';
import { startsWith } from './file-start.ts';

export interface ModelJson {
  /** Absolute path of model.json. */
  readonly path: string;
  readonly json: unknown;
}

/** By its name and first byte; that of a graph model as well. */
export async function recognisesModelJson(path: string): Promise<boolean> {
  return startsWith(await modelJsonPath(path), '{', /\.json$/);
}

/**
 * @param path model.json or the folder that holds it
 * @throws Refusal `model-unreadable`
 */
export async function readModelJson(path: string): Promise<ModelJson> {
  const file = await modelJsonPath(path);
  const text = await readText(file);
  try {
    return { path: file, json: JSON.parse(text) };
  } catch (cause) {
    const received = `${text.length} characters that are none`;
    throw new Refusal('model-unreadable', `Expected JSON in ${file} but received ${received}`, {
      hint: 'The file may be truncated: copy or convert the model again.',
      cause,
    });
  }
}

const GraphProbe = z.looseObject({
  format: z.string().optional(),
  modelTopology: z.looseObject({ node: z.unknown() }).optional(),
});

/** A graph model lists nodes, a layers model a config. */
export function isGraphJson(json: unknown): boolean {
  const probe = GraphProbe.safeParse(json).data;
  return probe?.format === 'graph-model' || probe?.modelTopology?.node !== undefined;
}

/** @param kind of model that was expected, for the message */
export function refuseLayout(file: string, kind: string, error: z.ZodError): Refusal {
  return new Refusal('model-unreadable', `Expected a TensorFlow.js ${kind} in ${file} but received another layout`, {
    hint: z.prettifyError(error).split('\n').slice(0, 2).join(' ').trim(),
  });
}

async function modelJsonPath(path: string): Promise<string> {
  const absolute = resolve(path);
  const found = await stat(absolute).catch(() => undefined);
  return found?.isDirectory() === true ? join(absolute, 'model.json') : absolute;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const found = hasErrorCode(cause, 'ENOENT') ? 'no such file' : 'one that cannot be read';
    throw new Refusal('model-unreadable', `Expected a TensorFlow.js model file at ${file} but received ${found}`, {
      hint: 'Give model.json, or the folder that holds it.',
      cause,
    });
  }
}
