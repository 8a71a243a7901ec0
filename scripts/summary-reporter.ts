/** Ends a test run with one plain line, which other programs read: `N passed, N failed`. */
import type { Reporter, TestModule } from 'vitest/node';

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) counts[test.result().state] += 1;
      // A file that can't be loaded has no tests to fail.
      if (module.errors().length > 0) counts.failed += 1;
    }
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    // After the lines of the reporters before this one.
    process.on('exit', () =>
      process.stdout.write(`${counts.passed} passed, ${counts.failed + counts.pending} failed${skipped}\n`),
    );
  }
}
