/**
 * Runs the suite in the test framework that it finds.
 */
import { InvalidDefinition } from '../../errors.ts';
import { conformanceCases } from './cases.ts';
import type { MakeStore } from './case.ts';

/** A test framework, as far as the suite needs it. */
export interface Framework {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: () => Promise<void>) => unknown;
}

/**
 * Registers the conformance suite of stores as tests: of vitest where it runs them, of another framework with
 * global `describe` and `it` (Jest, Mocha, Bun), else of `node:test`.
 *
 * @param name - What the tests are listed under: the store.
 * @param makeStore - Gives a store with a new, empty log on each call.
 * @param framework - The framework's `describe` and `it`, if the suite can't find them.
 * @throws InvalidDefinition if `makeStore` isn't a function, or if the suite can't find the framework
 *
 * @example
 * ```ts
 * import { memory } from 'tidemark/memory';
 * import { storeConformance } from 'tidemark/testing';
 *
 * storeConformance('memory', (options) => memory(options)); // your own store in its place
 * ```
 */
export function storeConformance(name: string, makeStore: MakeStore, framework: Framework = findFramework()): void {
  if (typeof name !== 'string' || typeof makeStore !== 'function') {
    throw new InvalidDefinition('storeConformance: pass the name of a store, and a function that makes a store of it.');
  }
  framework.describe(`${name} is a store`, () => {
    for (const { law, name, run } of conformanceCases) {
      framework.it(`${law === 'contract' ? law : `law ${law}`}: ${name}`, () => run(makeStore));
    }
  });
}

/**
 * Synchronous: tests must be registered while their file is loaded, and a module with a top-level `await` can't be loaded by
 * `require`.
 */
function findFramework(): Framework {
  const found = globalThis as Partial<Framework> & { readonly __vitest_index__?: Framework; process?: NodeJS.Process };
  const { describe, it } = found;
  if (describe !== undefined && it !== undefined) return { describe, it };
  // Where vitest keeps itself for tests within source files (`import.meta.vitest`).
  if (found.__vitest_index__ !== undefined) return found.__vitest_index__;
  // A program that a vitest test has started isn't a test itself.
  if (!('__vitest_worker__' in globalThis) && found.process) return found.process.getBuiltinModule('node:test');
  throw new InvalidDefinition(
    'The test framework’s functions can’t be found: pass them, storeConformance(name, makeStore, { describe, it }).',
  );
}
