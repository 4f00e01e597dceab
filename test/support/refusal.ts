// Expects a Refusal of a code: the message is what the user would read.
import { expect } from 'vitest';
import { Refusal, type RefusalCode } from '../../shared/src/errors.ts';

/** Runs what should be refused and returns the refusal. */
export async function refusalOf(action: () => unknown, code: RefusalCode): Promise<Refusal> {
  let thrown: unknown;
  try {
    await action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(Refusal);
  const refusal = thrown as Refusal;
  expect(refusal.code).toBe(code);
  return refusal;
}
