/** A log in a PostgreSQL database, by way of the driver `pg`. */
import { InvalidDefinition, isTidemarkError } from '../../errors.ts';
import { optionsOf } from '../../options.ts';
import type { Store } from '../store.ts';
import { driver, type ClientClass } from './connecting/driver.ts';
import type { PostgresPool } from './connecting/pool.ts';
import type { HostPool } from './connecting/hosts.ts';
import { openSession } from './connecting/open.ts';
import { POSTGRES, settingsOf, type PostgresOptions } from './connecting/options.ts';
import { addressOf } from './connecting/url.ts';

/** Most connections of a session, by default. */
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
 * @param urlOrPool - `postgres://role:password@host:5432/database`; or with a primary and its standbys,
 * `postgres://role:password@one:5432,two:5432/database` (the log uses the server that takes writes, also after a failover);
 * or a pool of `pg` that you share with it and end yourself, with room for at least two connections.
 * @throws {@link InvalidDefinition} at once, if the URL or an option isn't valid. If there is no log and none can be made,
 * `open` throws `NotALog`, `NotWritable`, `WrongLog`, `FormatTooNew` or `StoreUnavailable`.
 */
export function postgres(urlOrPool: string | PostgresPool, options?: PostgresOptions): Store {
  const checked = optionsOf<PostgresOptions>('postgres()', options, POSTGRES);
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
    throw new InvalidDefinition('postgres() needs a URL (postgres://role@host:5432/database), or a pool of pg.');
  }
  for (const option of ['connection', 'connections'] as const) {
    if (options[option] === undefined) continue;
    throw new InvalidDefinition(`postgres(): a pool has its own ${option}: set them there.`, { option });
  }
  if (given.options?.binary) {
    throw new InvalidDefinition('The store reads values as text: leave binary out of the pool’s options.');
  }
  if ((given.options?.max ?? 2) < 2) {
    throw new InvalidDefinition('The pool has room for one connection. Two are needed: one to write, one to read.');
  }
  const settings = settingsOf(options, 'the given pool');
  const pools = [{ name: 'the server of the given pool', pool: given }];
  return Object.freeze({
    name: 'postgres',
    clock: settings.clock.now,
    open: () => openSession(() => Promise.resolve(pools), false, settings),
  });
}

/** For the driver, a URL without a password means no password, whatever the other options say. */
function withPassword(Client: ClientClass, password: unknown): ClientClass {
  if (password === undefined) return Client;
  return class extends Client {
    constructor(config?: object) {
      super(config);
      this.password = password;
    }
  };
}
