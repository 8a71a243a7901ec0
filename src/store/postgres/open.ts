/** Opens a session: connects, looks at the server and at the schema, and makes the log if there is none. */
import { NotALog, NotWritable } from '../../errors.ts';
import type { Session } from '../store.ts';
import { Connections } from './connection.ts';
import type { Connection, Query } from './connection.ts';
import { translatedAtOpen } from './errors.ts';
import { Hosts, type HostPool } from './hosts.ts';
import { lookAt, migrate } from './migrate.ts';
import type { Settings } from './options.ts';
import { FORMAT } from './schema.ts';
import { PostgresSession } from './session.ts';

/** What a pool of pg's has room for unless told otherwise. */
const POOL_MAX = 10;

/** What append_v1 needs, and what is still maintained. */
const OLDEST = 15;

const SERVER = `SELECT current_setting('server_version_num'), current_setting('server_encoding'),
  current_setting('fsync'), current_setting('default_transaction_isolation')`;

export async function openSession(
  makePools: () => Promise<readonly HostPool[]>,
  own: boolean,
  settings: Settings,
): Promise<Session> {
  const { place } = settings;
  let connections: Connections | undefined;
  try {
    const pools = await makePools();
    connections = new Connections(new Hosts(pools, own, settings), settings, place);
    const stateIsolation = await connections.use((connection) => prepare(connection, settings));
    return new PostgresSession(connections, {
      ...settings,
      stateIsolation,
      pool: pools[0]!.pool,
      connectionsMax: pools[0]!.pool.options?.max ?? POOL_MAX,
    });
  } catch (error) {
    await connections?.end();
    throw translatedAtOpen(error, place);
  }
}

/** Whether each transaction must state its isolation level, because the default is another. */
async function prepare(connection: Connection, settings: Settings): Promise<boolean> {
  const { schema, place, lockTimeoutMs } = settings;
  const query: Query = (text, parameters) => connection.query(text, parameters);
  const [row] = await query(SERVER, []);
  const [version, encoding, fsync, isolation] = row!;
  const major = Math.floor(Number(version) / 10_000);
  if (major < OLDEST) {
    throw new NotALog(
      `PostgreSQL ${major} at ${place} is too old to hold a log. Upgrade it to version ${OLDEST} or later.`,
      { place, version: major, oldest: OLDEST },
    );
  }
  if (encoding !== 'UTF8') {
    throw new NotALog(
      `The database of ${place} holds text as ${encoding}, a log needs UTF8. Choose another database.`,
      {
        place,
        encoding,
      },
    );
  }
  if (fsync !== 'on' && settings.synchronousCommit !== 'off') {
    throw new NotWritable(
      `PostgreSQL at ${place} runs with fsync=${fsync}: a crash would take commits back that were acknowledged. Turn it on, or ` +
        "accept that with the option synchronousCommit: 'off'.",
      { place, fsync },
    );
  }
  const { format } = await lookAt(query, schema, place);
  if (format < FORMAT) await migrate(connection, schema, place, lockTimeoutMs);
  return isolation !== 'read committed';
}
