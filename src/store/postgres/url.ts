/**
 * The connection string: `postgres://role:password@host:5432/database`, or with several hosts, of which one takes writes
 * at a time: `postgres://role@one:5432,two:5432,three/database?target_session_attrs=read-write`. The driver knows one host
 * a string, so there is one for each.
 */
import { URL } from 'node:url';
import { InvalidDefinition } from '../../errors.ts';

/** One server that may hold the log. */
export interface Host {
  /** What the driver is given. */
  readonly url: string;
  /** What messages call it: without user and password. */
  readonly name: string;
}

export interface Address {
  /** In the order given. At least one. */
  readonly hosts: readonly Host[];
  /** Hosts and database, for messages. */
  readonly where: string;
}

/** Scheme; user and password; hosts; database and parameters. */
const PARTS = /^(postgres(?:ql)?:\/\/)([^/?#]*@)?([^/?#]*)(.*)$/s;
/** What may be asked for beside several hosts: the log is always read and written where writes are taken. */
const SESSIONS: ReadonlySet<string | null> = new Set([null, 'read-write', 'primary']);

/** @throws InvalidDefinition, with nothing of the string in it but the name of a parameter */
export function addressOf(given: string): Address {
  const [, scheme = '', user = '', authority = '', rest = ''] = PARTS.exec(given) ?? [];
  const parts = authority.split(',');
  if (scheme === '' || (parts.length > 1 && parts.includes(''))) throw unreadable();
  const hosts = parts.map((part): Host & { readonly database: string } => {
    // A socket's directory stands in the parameters, and the host may be empty.
    const complete = `${scheme}${user}${part === '' ? 'localhost' : part}${rest}`;
    if (!URL.canParse(complete)) throw unreadable();
    const { host, pathname, searchParams } = new URL(complete);
    if (!SESSIONS.has(searchParams.get('target_session_attrs'))) {
      throw new InvalidDefinition(
        'target_session_attrs is read-write in the connection string of a log, or left out: standbys may lag.',
        { parameter: 'target_session_attrs' },
      );
    }
    const socket = searchParams.get('host');
    if (socket?.includes(',')) {
      throw new InvalidDefinition(
        'Several hosts stand in the connection string before the database: postgres://role@one:5432,two:5432/database.',
        { parameter: 'host' },
      );
    }
    return { url: `${scheme}${user}${part}${rest}`, name: socket ?? host, database: pathname };
  });
  return { hosts, where: `${hosts.map(({ name }) => name).join(',')}${hosts[0]!.database}` };
}

function unreadable(): InvalidDefinition {
  // It may hold a password, so it isn't repeated.
  return new InvalidDefinition(
    'The connection string is none: give postgres://role:password@host:5432/database. Special characters in a password ' +
      'are written as in any URL (%40 for @).',
  );
}
