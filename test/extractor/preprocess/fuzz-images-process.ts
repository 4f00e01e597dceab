// A process of the image fuzz: prepares each file that it is sent, as a decoding thread does, until it is killed.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { prepareImage } from '../../../extractor/src/preprocess/prepare-image.ts';
import { describeError, SAMPLE_ERROR_CODES } from '../../../shared/src/errors.ts';
import { Recipe } from '../../../shared/src/recipe.ts';
import type { FuzzAnswer, FuzzStarted } from '../../support/fuzz-child.ts';

export interface ImageTask {
  readonly path: string;
}

export interface ImageAnswer extends FuzzAnswer {
  readonly outcome: 'ok' | 'row' | 'failed';
  /** Of a failed row; its message is the answer's. */
  readonly code: string | null;
  /** Of the prepared pixels, as bytes. */
  readonly sha256: string | null;
}

/** The same as Pillow does in pillow_answers.py. */
export const SIZE = 32;
const recipe = Recipe.parse({ width: SIZE, height: SIZE, scale: 1 });

process.on('message', task => void answer(task as ImageTask));
process.once('disconnect', () => process.exit(1));
send({ startedWithMb: peakMb() });

async function answer({ path }: ImageTask): Promise<void> {
  const bytes = await readFile(path);
  const [started, startedWith] = [performance.now(), process.cpuUsage()];
  const ending = await prepare(bytes).catch(error => ({
    outcome: 'failed' as const,
    message: `another error than a failed row: ${describeError(error)}`,
    code: null,
    sha256: null,
  }));
  const { user, system } = process.cpuUsage(startedWith);
  send({ ...ending, ms: performance.now() - started, processorMs: (user + system) / 1000, peakMb: peakMb() });
}

async function prepare(bytes: Uint8Array): Promise<Pick<ImageAnswer, 'outcome' | 'message' | 'code' | 'sha256'>> {
  const result = await prepareImage(bytes, recipe);
  if (result.ok) {
    const sha256 = createHash('sha256').update(Uint8Array.from(result.image.values)).digest('hex');
    return { outcome: 'ok', message: '', code: null, sha256 };
  }
  const { code, message } = result.failure;
  const isListed = SAMPLE_ERROR_CODES.includes(code);
  return { outcome: isListed ? 'row' : 'failed', message, code, sha256: null };
}

function peakMb(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

function send(message: FuzzStarted | ImageAnswer): void {
  process.send?.(message);
}
