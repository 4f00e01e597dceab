// The results of all cases, one JSON line each, appended as they come: a run that was stopped goes on after the last line.
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { hasErrorCode } from '../shared/src/errors.ts';

const LayerResult = z.object({
  name: z.string(),
  className: z.string(),
  cosine: z.number(),
  relative: z.number().nullable(),
  reason: z.string().optional(),
  /** Keras' own distance from float64, where it was needed. */
  own: z.object({ relative: z.number(), cosine: z.number() }).optional(),
});

export const CaseResult = z.object({
  architecture: z.string(),
  format: z.string(),
  engine: z.string(),
  /** `invalid`: the reference proves nothing. `unclaimed`: the engine does not run this format. */
  status: z.enum(['passed', 'failed', 'invalid', 'unclaimed']),
  reason: z.string().optional(),
  layers: z.array(LayerResult),
  parameters: z.number().optional(),
  /** Mean gamma of batch normalisations, and how much the network amplifies a change of the input. */
  gamma: z.number().optional(),
  amplification: z.number().optional(),
  seconds: z.record(z.string(), z.number()).optional(),
  versions: z.record(z.string(), z.string()),
  commit: z.string(),
  cpu: z.string(),
  date: z.string(),
});
export type CaseResult = z.output<typeof CaseResult>;

export type CaseKey = Pick<CaseResult, 'architecture' | 'format' | 'engine'>;

export function keyOf({ architecture, format, engine }: CaseKey): string {
  return `${architecture} ${format} ${engine}`;
}

/** The last result of each case; a line that was cut short by a crash is left out. */
export async function readResults(path: string): Promise<Map<string, CaseResult>> {
  let text = '';
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
  }
  const results = new Map<string, CaseResult>();
  for (const line of text.split('\n')) {
    const parsed = CaseResult.safeParse(parseLine(line));
    if (parsed.success) results.set(keyOf(parsed.data), parsed.data);
  }
  return results;
}

export async function appendResult(path: string, result: CaseResult): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await appendFile(path, `${JSON.stringify(result)}\n`);
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
