/**
 * The connection string: `postgres://role:password@host:5432/database`, or with several hosts, of which one takes writes at
 * a time: `postgres://role@one:5432,two:5432,three/database?target_session_attrs=read-write`. The driver takes one host, so
 * each host gets its own string.
 */
import { URL } from 'node:url';
import { InvalidDefinition } from '../../../errors.ts';

/** One server that may hold the log. */
export interface Host {
  /** The string for the driver. */
  readonly url: string;
  /** Its name in messages, without user and password. */
  readonly name: string;
}

export interface Address {
  /** In the order given. At least one. */
  readonly hosts: readonly Host[];
  /** Hosts and database, for messages. */
  readonly where: string;
}

/**
 * Scheme; user and password; hosts; database and parameters. A password with an unescaped / ? or # would end there: the rest
 * of it, with the @, would be taken for the name of a database.
 */
const PARTS = /^(postgres(?:ql)?:\/\/)([^/?#]*@)?([^/?#]*)(.*)$/s;
/** The values that `target_session_attrs` may have: a log is always used on the server that takes writes. */
const SESSIONS: ReadonlySet<string | null> = new Set([null, 'read-write', 'primary']);

/** @throws InvalidDefinition, which repeats nothing of the string but the name of a parameter */
export function addressOf(given: string): Address {
  // A % that escapes nothing stands for itself, as in any URL; the driver would then escape the rest a second time.
  const escaped = given.replaceAll(/%(?![0-9a-f]{2})/gi, '%25').replaceAll(' ', '%20');
  const [, scheme = '', user = '', authority = '', rest = ''] = PARTS.exec(escaped) ?? [];
  const parts = authority.split(',');
  if (scheme === '' || (parts.length > 1 && parts.includes(''))) throw unreadable();
  if (rest.includes('@')) {
    throw new InvalidDefinition(
      'The connection string has an @ after its hosts. If it should end the password, the password has a special character: ' +
        'write %2F for /, %3F for ?, %23 for #, %40 for @. Write %40 elsewhere too.',
    );
  }
  const hosts = parts.map((part): Host & { readonly database: string } => {
    // The host may be empty: a socket's directory is a parameter.
    const complete = `${scheme}${user}${part === '' ? 'localhost' : part}${rest}`;
    if (!URL.canParse(complete)) throw unreadable();
    const { host, pathname, searchParams, username, password } = new URL(complete);
    if (![username, password].every(isEscaped)) throw unreadable();
    if (searchParams.has('password')) {
      // An & in it would end it, and the rest would be taken for the name of a host.
      throw new InvalidDefinition(
        'Write the password before the hosts (postgres://role:password@host/database), or in connection.password.',
        { parameter: 'password' },
      );
    }
    if (!SESSIONS.has(searchParams.get('target_session_attrs'))) {
      throw new InvalidDefinition(
        'In the connection string of a log target_session_attrs must be read-write, or left out: standbys may lag.',
        { parameter: 'target_session_attrs' },
      );
    }
    const socket = searchParams.get('host');
    if (socket?.includes(',')) {
      throw new InvalidDefinition(
        'Write several hosts before the database: postgres://role@one:5432,two:5432/database.',
        { parameter: 'host' },
      );
    }
    return { url: `${scheme}${user}${part}${rest}`, name: socket ?? host, database: pathname };
  });
  return { hosts, where: `${hosts.map(({ name }) => name).join(',')}${hosts[0]!.database}` };
}

/** Whether the escaped bytes in it are UTF-8. */
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
