/** Opens a session: connects, checks the server and the schema, and makes the log if there is none. */
import { NotALog, NotWritable } from '../../../errors.ts';
import type { Session } from '../../store.ts';
import { queryOn, type Connection } from './connection.ts';
import { Connections } from './connections.ts';
import { translatedAtOpen } from '../errors.ts';
import { Gate } from './gate.ts';
import { Hosts, type HostPool } from './hosts.ts';
import { findLog, migrate, type Found } from './migrate.ts';
import type { Settings } from './options.ts';
import { FORMAT } from '../schema.ts';
import { PostgresSession } from '../session.ts';
import type { OpenedLog } from '../transactions.ts';

/** The default size of a pool of `pg`. */
const POOL_MAX = 10;

/** The oldest version that append_v1 can run on, and that is still maintained. */
const OLDEST = 15;

const SERVER = `SELECT ${[
  'server_version_num',
  'server_encoding',
  'fsync',
  'default_transaction_isolation',
  'transaction_read_only',
  'client_encoding',
  // Of version 17 and later.
  'transaction_timeout',
]
  .map((name) => `pg_catalog.current_setting('${name}', true)`)
  .join(', ')}`;

export async function openSession(
  makePools: () => Promise<readonly HostPool[]>,
  own: boolean,
  settings: Settings,
): Promise<Session> {
  let connections: Connections | undefined;
  try {
    const pools = await makePools();
    const [{ pool }] = pools as readonly [HostPool];
    const connectionsMax = pool.options?.max ?? POOL_MAX;
    connections = new Connections(new Hosts(pools, own, settings), Gate.of(pool, connectionsMax), settings);
    const opened = await connections.use('open', (connection) => prepare(connection, settings));
    return new PostgresSession(connections, { ...settings, ...opened, pool, connectionsMax });
  } catch (error) {
    await connections?.end();
    throw translatedAtOpen(error, settings.place);
  }
}

async function prepare(connection: Connection, settings: Settings): Promise<OpenedLog> {
  const { place } = settings;
  const [row] = await connection.query(SERVER);
  const [version, encoding, fsync, isolation, readOnly, clientEncoding, transactionTimeout] = row!;
  const major = Math.floor(Number(version) / 10_000);
  if (major < OLDEST) {
    throw new NotALog(
      `PostgreSQL ${major} at ${place} is too old to hold a log. Upgrade it to version ${OLDEST} or later.`,
      { place, version: major, oldest: OLDEST },
    );
  }
  if (encoding !== 'UTF8') {
    const message = `The database of ${place} holds text as ${encoding}, a log needs UTF8. Choose another database.`;
    throw new NotALog(message, { place, encoding });
  }
  if (fsync !== 'on' && settings.synchronousCommit !== 'off') {
    throw new NotWritable(
      `PostgreSQL at ${place} runs with fsync=${fsync}: acknowledged commits would be lost in a crash. Turn it on, or accept ` +
        "that with the option synchronousCommit: 'off'.",
      { place, fsync },
    );
  }
  if (readOnly !== 'off') {
    throw new NotWritable(
      `This role's transactions only read at ${place} (default_transaction_read_only). Set it off for the role or the database.`,
      { place, setting: 'default_transaction_read_only' },
    );
  }
  if (clientEncoding !== 'UTF8') {
    throw new NotWritable(
      `The connections to ${place} are set to ${clientEncoding}, a log needs UTF8. Leave client_encoding as the driver sets it.`,
      { place, setting: 'client_encoding' },
    );
  }
  let found = await findLogOn(connection, settings);
  if (found.format < FORMAT) {
    await migrate(connection, settings);
    found = await findLogOn(connection, settings);
  }
  const stateSettings = isolation !== 'read committed' || (transactionTimeout ?? '0') !== '0';
  return { log: found.log!, stateSettings };
}

async function findLogOn(connection: Connection, { schema, place, answerTimeoutMs }: Settings): Promise<Found> {
  await connection.begin('READ COMMITTED', { statementTimeoutMs: answerTimeoutMs });
  await connection.assertNotices();
  const found = await findLog(queryOn(connection), schema, place);
  await connection.commit();
  return found;
}
