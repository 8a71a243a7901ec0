/** A log in a PostgreSQL database, by way of the driver `pg`. */
import { InvalidDefinition, isTidemarkError } from '../../errors.ts';
import type { Store } from '../store.ts';
import { driver } from './connecting/driver.ts';
import type { ClientClass } from './connecting/driver.ts';
import type { PostgresPool } from './connecting/pool.ts';
import type { HostPool } from './connecting/hosts.ts';
import { openSession } from './connecting/open.ts';
import { checkedOptions, settingsOf } from './connecting/options.ts';
import type { PostgresOptions } from './connecting/options.ts';
import { addressOf } from './connecting/url.ts';

/** Most connections of a session, unless told otherwise. */
const CONNECTIONS = 4;

export { grants } from './upkeep/grants.ts';
export { renamed } from './upkeep/renamed.ts';
export type { PostgresClient, PostgresPool } from './connecting/pool.ts';
export type { PostgresOptions, SynchronousCommit } from './connecting/options.ts';

/**
 * A log in a schema of a PostgreSQL database (version 15 or later), which is made if it doesn't exist. Any number of
 * servers may have it open at once; a pooler such as PgBouncer, in transaction mode, may stand between. Needs the package
 * `pg`.
 *
 * @param urlOrPool - `postgres://role:password@host:5432/database`; or with the hosts of a primary and its standbys,
 * `postgres://role:password@one:5432,two:5432/database`: the log is used where writes are taken, and looked for there again
 * after a failover; or a pool of `pg`'s that you share with it: one with room for two connections at least, which you end
 * yourself.
 * @throws {@link InvalidDefinition} at once, if the URL or an option isn't what it must be. `open` throws `NotALog`,
 * `NotWritable`, `WrongLog`, `FormatTooNew` or `StoreUnavailable` where there is no log to be had.
 */
export function postgres(urlOrPool: string | PostgresPool, options?: PostgresOptions): Store {
  const checked = checkedOptions(options);
  try {
    return storeAt(urlOrPool, checked);
  } catch (cause) {
    if (isTidemarkError(cause)) throw cause;
    throw new InvalidDefinition('postgres() is given a pool that can’t be used.', {}, cause);
  }
}

function storeAt(given: string | PostgresPool, options: PostgresOptions): Store {
  if (typeof given === 'string') {
    const { hosts, where } = addressOf(given);
    const settings = settingsOf(options, where);
    const { connection = {}, connections: max = CONNECTIONS } = options;
    const makePools = async (): Promise<readonly HostPool[]> => {
      const { Pool, Client } = await driver();
      return hosts.map(({ url, name }) => ({
        name,
        pool: new Pool({
          application_name: 'tidemark',
          keepAlive: true,
          ...connection,
          connectionString: url,
          Client: withPassword(Client, connection['password']),
          connectionTimeoutMillis: Math.ceil(settings.connectTimeoutMs / hosts.length),
          max,
        }),
      }));
    };
    return Object.freeze({
      name: 'postgres',
      clock: settings.clock.now,
      open: () => openSession(makePools, true, settings),
    });
  }
  if (typeof given?.connect !== 'function' || typeof given.on !== 'function') {
    throw new InvalidDefinition('postgres() needs a URL (postgres://role@host:5432/database), or a pool of pg’s.');
  }
  for (const option of ['connection', 'connections'] as const) {
    if (options[option] === undefined) continue;
    throw new InvalidDefinition(`postgres(): a pool has its own ${option}: set them there.`, { option });
  }
  if (given.options?.binary) {
    throw new InvalidDefinition('The store reads values as text: leave binary out of the pool’s options.');
  }
  if ((given.options?.max ?? 2) < 2) {
    throw new InvalidDefinition(
      'The pool has room for one connection. Two are needed: one that writes, and one that reads.',
    );
  }
  const settings = settingsOf(options, 'the given pool');
  const pools = [{ name: 'the server of the given pool', pool: given }];
  return Object.freeze({
    name: 'postgres',
    clock: settings.clock.now,
    open: () => openSession(() => Promise.resolve(pools), false, settings),
  });
}

/** A URL without a password is one with none for the driver, whatever is said beside it. */
function withPassword(Client: ClientClass, password: unknown): ClientClass {
  if (password === undefined) return Client;
  return class extends Client {
    constructor(config?: object) {
      super(config);
      this.password = password;
    }
  };
}
