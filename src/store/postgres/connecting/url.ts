/**
 * The connection string: `postgres://role:password@host:5432/database`, or with several hosts, of which one takes writes
 * at a time: `postgres://role@one:5432,two:5432,three/database?target_session_attrs=read-write`. The driver knows one host
 * a string, so there is one for each.
 */
import { URL } from 'node:url';
import { InvalidDefinition } from '../../../errors.ts';

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

/**
 * Scheme; user and password; hosts; database and parameters. A password that holds one of / ? # as it is would end before
 * the @: the rest of it, and that @, would then stand in the last part, for the name of a database.
 */
const PARTS = /^(postgres(?:ql)?:\/\/)([^/?#]*@)?([^/?#]*)(.*)$/s;
/** What may be asked for beside several hosts: the log is always read and written where writes are taken. */
const SESSIONS: ReadonlySet<string | null> = new Set([null, 'read-write', 'primary']);

/** @throws InvalidDefinition, with nothing of the string in it but the name of a parameter */
export function addressOf(given: string): Address {
  // What escapes nothing stands for itself, as in any URL; the driver would escape all the others once more.
  const escaped = given.replaceAll(/%(?![0-9a-f]{2})/gi, '%25').replaceAll(' ', '%20');
  const [, scheme = '', user = '', authority = '', rest = ''] = PARTS.exec(escaped) ?? [];
  const parts = authority.split(',');
  if (scheme === '' || (parts.length > 1 && parts.includes(''))) throw unreadable();
  if (rest.includes('@')) {
    throw new InvalidDefinition(
      'An @ stands behind the hosts of the connection string. If it is the one before the hosts, the password holds a ' +
        'special character: write %2F for /, %3F for ?, %23 for #, %40 for @. Elsewhere write %40 as well.',
    );
  }
  const hosts = parts.map((part): Host & { readonly database: string } => {
    // A socket's directory stands in the parameters, and the host may be empty.
    const complete = `${scheme}${user}${part === '' ? 'localhost' : part}${rest}`;
    if (!URL.canParse(complete)) throw unreadable();
    const { host, pathname, searchParams, username, password } = new URL(complete);
    if (![username, password].every(isEscaped)) throw unreadable();
    if (searchParams.has('password')) {
      // An & in it would end it, and the rest be taken for the name of a host.
      throw new InvalidDefinition(
        'A password stands before the hosts (postgres://role:password@host/database), or in connection.password.',
        { parameter: 'password' },
      );
    }
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

/** Whether what is escaped in it are bytes of UTF-8. */
function isEscaped(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function unreadable(): InvalidDefinition {
  // It may hold a password, so it isn't repeated.
  return new InvalidDefinition(
    "The connection string isn't valid: give postgres://role:password@host:5432/database. Special characters in a password " +
      'are written as in any URL: %40 for @, %2F for /, %25 for %.',
  );
}
