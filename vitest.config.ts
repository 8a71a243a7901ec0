import { configDefaults, defineConfig } from 'vitest/config';
import { LongestFirst } from './scripts/longest-first.ts';
import { isAll } from './test/support/setting.ts';

export default defineConfig({
  resolve: { conditions: ['@tidemark/source', 'node', 'import', 'default'] },
  // Without 'import', which the workers would apply to what a package requires as well: pg would get modules for classes.
  ssr: { resolve: { conditions: ['@tidemark/source', 'node', 'default'] } },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'demo/**/*.test.ts'],
    // What takes long, or needs more than Node and npm, is run by `npm run test:all`.
    exclude: [...configDefaults.exclude, ...(isAll ? [] : ['**/*.long.test.ts'])],
    reporters: ['default', './scripts/summary-reporter.ts'],
    // Without it, files that share a worker come in the order that they always had.
    sequence: isAll ? { sequencer: LongestFirst } : {},
    globalSetup: './test/support/postgres-server.ts',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: tests that start many server processes would starve each other. The others wait for disks and servers half of
    // their time.
    maxWorkers: isAll ? 2 : 3,
    // Files share a worker where nothing in them leaves anything behind; starting one costs as much as a small file.
    isolate: isAll,
  },
});
