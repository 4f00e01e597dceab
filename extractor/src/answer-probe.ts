// The child's side of probe.ts: answers the one question that it was started with, and ends.
import { describeError, Refusal } from '../../shared/src/errors.ts';
import type { ProbeMessage } from './probe.ts';

export async function answerProbe<Question>(answer: (question: Question) => Promise<unknown>): Promise<void> {
  process.once('disconnect', () => process.exit(1));
  const message = await messageOf(answer);
  process.send?.(message, () => process.exit(0));
}

async function messageOf<Question>(answer: (question: Question) => Promise<unknown>): Promise<ProbeMessage> {
  try {
    return { answer: await answer(JSON.parse(process.argv[2] ?? '{}') as Question) };
  } catch (error) {
    if (!(error instanceof Refusal)) return { error: describeError(error) };
    return { refusal: { code: error.code, message: error.message, hint: error.hint } };
  }
}
