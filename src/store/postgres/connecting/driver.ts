/** The package `pg`, which users install: loaded when it is needed, so that what keeps it away is told in words. */
import { InvalidDefinition } from '../../../errors.ts';
import type { PostgresPool } from './pool.ts';

export type ClientClass = new (config?: object) => { password?: unknown };

export interface Driver {
  readonly Pool: new (config: object) => PostgresPool;
  readonly Client: ClientClass;
}

/** @throws InvalidDefinition that tells a package that is missing from one that can't be loaded, and from a bundle's fault */
export async function driver(): Promise<Driver> {
  try {
    const { default: found } = await import('pg');
    if (typeof found?.Pool === 'function' && typeof found.Client === 'function') return found;
    throw new TypeError('it gives no Pool and Client');
  } catch (cause) {
    throw fault(cause);
  }
}

/** Nothing of that name was found; not for one that `pg` itself needs, which is a fault of what is installed. */
const MISSING = /^Cannot find (package|module) 'pg'(?!\S)/;
/** A bundler of ES modules put `pg` in, which requires modules of Node's: it leaves a function that only throws. */
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
        'and have it installed where the bundle runs.',
      details,
      cause,
    );
  }
  return new InvalidDefinition(
    `The package pg is installed, but can't be loaded (${first}). Correct what that says, or install pg anew.`,
    details,
    cause,
  );
}
