// Says at the end of a run how many tests were skipped, by reason: "64 skipped: no C++ compiler".

import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from 'vitest/node';

/** How a title ends that `because` of needs.ts has made. */
const REASON = /\(skipped: (.*)\)$/;

export default class SkipReporter implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const pattern = this.#vitest?.config.testNamePattern;
    const tests = modules.flatMap(module => [...module.children.allTests('skipped')]);
    // What the command line leaves out is skipped for no reason of its own.
    const wanted =
      pattern === undefined ? tests : tests.filter(test => pattern.test(test.fullName.replaceAll(' > ', ' ')));
    for (const line of countSkipped(wanted.map(reasonOf))) this.#vitest?.logger.log(line);
  }
}

/** One line a reason, the commonest first. */
export function countSkipped(reasons: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .sort(([a, m], [b, n]) => n - m || a.localeCompare(b))
    .map(([reason, count]) => `${String(count).padStart(6)} skipped: ${reason}`);
}

/** The note of `context.skip(note)`, else what the title of the test says, or of a suite around it. */
function reasonOf(test: TestCase): string {
  const result = test.result();
  if (result.state === 'skipped' && result.note !== undefined) return result.note;
  for (let at: TestCase | TestSuite | TestModule = test; at.type !== 'module'; at = at.parent) {
    const reason = REASON.exec(at.name)?.[1];
    if (reason !== undefined) return reason;
  }
  return `no reason given (${test.module.relativeModuleId})`;
}
