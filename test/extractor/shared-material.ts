// Paths of the shared test material, and whether it is on this machine.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { because } from '../support/needs.ts';

const DATA = fileURLToPath(new URL('../../../shared/data/', import.meta.url));

export const MOBILENET = `${DATA}models/tfjs-layers-nsfw-mobilenet-v2`;
export const DOODLENET = `${DATA}models/tfjs-layers-doodlenet`;
export const GRAPH_MODEL = `${DATA}models/tfjs-graph-emotion/emotion.json`;
export const MODELS = `${DATA}models`;
export const ONNX_MODELS = `${DATA}models/onnx`;
export const CLOTHING = `${DATA}images/clothing`;

/** For `test.skipIf(…)`: the shared material is no part of the repository. */
export const missing = (path: string): boolean => !existsSync(path);

/** The end of the title of a test that needs it. */
export const whyNoShared = (path: string): string => because(missing(path) ? 'no ../shared/data' : undefined);
