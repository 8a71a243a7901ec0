/**
 * Runs the suite under the test framework that is there.
 */
import { InvalidDefinition } from '../../errors.ts';
import { conformanceCases } from './cases.ts';
import type { MakeStore } from './case.ts';

interface Framework {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: () => Promise<void>) => unknown;
}

// Found when the module is loaded: tests have to be registered without a pause.
const framework = await findFramework();

/**
 * Registers the conformance suite of storage engines as tests: of vitest where it runs them, of another framework with
 * global `describe` and `it` (Jest, Mocha, Bun), else of `node:test`.
 *
 * @param name - What the tests are listed under: the engine.
 * @param makeStore - Gives a fresh place with an empty log on each call.
 * @throws InvalidDefinition if it is no function
 *
 * @example
 * ```ts
 * import { memory } from 'tidemark/memory';
 * import { storeConformance } from 'tidemark/testing';
 *
 * storeConformance('memory', () => memory()); // your own engine in its place
 * ```
 */
export function storeConformance(name: string, makeStore: MakeStore): void {
  if (typeof name !== 'string' || typeof makeStore !== 'function') {
    throw new InvalidDefinition(
      'storeConformance: pass the name of an engine, and a function that makes a store of it.',
    );
  }
  framework.describe(`${name} is a store`, () => {
    for (const { law, name, run } of conformanceCases) {
      framework.it(`${law === 'contract' ? law : `law ${law}`}: ${name}`, () => run(makeStore));
    }
  });
}

async function findFramework(): Promise<Framework> {
  if (process.env['VITEST'] !== undefined) {
    try {
      return await import('vitest');
    } catch {
      // A program that a test of vitest's has started, where vitest isn't installed.
    }
  }
  const { describe, it } = globalThis as Partial<Framework>;
  if (describe !== undefined && it !== undefined) return { describe, it };
  return import('node:test');
}
