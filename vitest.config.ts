import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@tidemark/source', 'node', 'import', 'default'] },
  ssr: { resolve: { conditions: ['@tidemark/source', 'node', 'import', 'default'] } },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts'],
    reporters: ['default', './scripts/summary-reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: tests that start server processes of their own would otherwise starve each other.
    maxWorkers: 2,
  },
});
