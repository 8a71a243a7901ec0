/** Which test files have a longer form than the one that `npm test` runs. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** What a test asks that is longer, or has more stores, in the run of all tests (test/support/). */
const ASKS = /\b(?:isAll|setting|onLocalStores)\b/;
/** Where these are, for all tests. */
const ASKED: ReadonlySet<string> = new Set(
  ['setting', 'stores', 'seed', 'postgres-server'].map((name) => resolve('test/support', `${name}.ts`)),
);
/** A module that another one takes something of, by its path. */
const IMPORT = /^(?:import|export)\b[^;']*'(\.[^']+\.ts)'/gm;

/** Paths of the test files that `npm test` doesn't run, or runs in a shorter form. */
export function longerFiles(): string[] {
  const known = new Map<string, boolean>();
  return globSync(['src/**/*.test.ts', 'test/**/*.test.ts', 'demo/**/*.test.ts']).filter(
    (file) => file.endsWith('.long.test.ts') || asks(resolve(file), known),
  );
}

/** Whether a module, or one that it imports from beside the product, asks for the long form. */
function asks(file: string, known: Map<string, boolean>): boolean {
  const before = known.get(file);
  if (before !== undefined) return before;
  known.set(file, false);
  const text = readFileSync(file, 'utf8');
  const imported = Array.from(text.matchAll(IMPORT), ([, path]) => join(dirname(file), path!));
  const found =
    ASKS.test(text) ||
    imported.some((path) => !ASKED.has(path) && !path.startsWith(resolve('src')) && asks(path, known));
  known.set(file, found);
  return found;
}
