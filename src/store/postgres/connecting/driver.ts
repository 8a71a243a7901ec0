/** Loads the package `pg`, which users install, when it is needed: so that a clear error says why it can't be loaded. */
import { InvalidDefinition } from '../../../errors.ts';
import type { PostgresPool } from './pool.ts';

export type ClientClass = new (config?: object) => { password?: unknown };

export interface Driver {
  readonly Pool: new (config: object) => PostgresPool;
  readonly Client: ClientClass;
}

/** @throws InvalidDefinition that says whether the package is missing, can't be loaded, or can't run in a bundle */
export async function driver(): Promise<Driver> {
  try {
    const { default: found } = await import('pg');
    if (typeof found?.Pool === 'function' && typeof found.Client === 'function') return found;
    throw new TypeError('it gives no Pool and Client');
  } catch (cause) {
    throw fault(cause);
  }
}

/** `pg` itself is missing, not a package that it needs. */
const MISSING = /^Cannot find (package|module) 'pg'(?!\S)/;
/** A bundler of ES modules has put `pg` in the bundle: the `require` that it needs only throws there. */
const BUNDLED = /^Dynamic require of |^Calling `require` for /;

function fault(cause: unknown): InvalidDefinition {
  const [first = ''] = String((cause as { readonly message?: unknown } | null)?.message ?? cause).split('\n');
  const details = { package: 'pg' };
  if (MISSING.test(first)) {
    return new InvalidDefinition('tidemark/postgres needs the package pg: npm install pg', details, cause);
  }
  if (BUNDLED.test(first)) {
    return new InvalidDefinition(
      `The package pg can't be loaded out of this bundle (${first}). Keep it out of the bundle (esbuild: --external:pg), ` +
        'and install it where the bundle runs.',
      details,
      cause,
    );
  }
  return new InvalidDefinition(
    `The package pg is installed, but can't be loaded (${first}). Correct what that says, or install pg again.`,
    details,
    cause,
  );
}
