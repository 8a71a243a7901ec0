/**
 * Asks a server to end the statement that runs on a connection: a backend that waits for a lock doesn't notice that its
 * client is gone.
 *
 * The request has its own connection, which needs no free place at the server and no password: the server knows it by the
 * numbers that it gave to the first one. It is made as `pg` makes its own: encrypted if they are, and through a pooler if
 * that passes it on (PgBouncer does).
 */
import { clearTimeout, setTimeout } from 'node:timers';
import type { PostgresClient } from './pool.ts';

/** Parts of a client of `pg` that its declarations leave out. */
interface Client {
  readonly processID?: unknown;
  readonly secretKey?: unknown;
  readonly host?: unknown;
  readonly port?: unknown;
  readonly connection?: Wire | undefined;
}

interface Wire {
  readonly constructor: unknown;
  readonly ssl?: unknown;
  readonly sslNegotiation?: unknown;
  readonly stream: { destroy(): void };
  connect(port: unknown, host?: unknown): void;
  requestSsl(): void;
  cancel(processID: unknown, secretKey: unknown): void;
  on(event: 'connect' | 'sslconnect' | 'end' | 'error', listener: () => void): unknown;
}

/** `impossible`: another kind of client (pg-native), or the server hasn't given it the numbers. */
export type Cancelled = 'sent' | 'unreachable' | 'impossible';

/** Resolves when the server has the request; the statement may end later. Never throws. */
export async function cancel(of: PostgresClient, timeoutMs: number): Promise<Cancelled> {
  const { processID, secretKey, host, port, connection } = of as Client;
  if (connection === undefined || typeof processID !== 'number' || secretKey == null) return 'impossible';
  const { promise, resolve } = Promise.withResolvers<Cancelled>();
  const timer = setTimeout(() => resolve('unreachable'), timeoutMs);
  let wire: Wire | undefined;
  try {
    const { ssl, sslNegotiation } = connection;
    const WireOfIts = connection.constructor as new (config: object) => Wire;
    const made = (wire = new WireOfIts({ ssl, sslNegotiation }));
    let sent = false;
    const send = (): void => {
      made.cancel(processID, secretKey);
      sent = true;
    };
    made.on('connect', () => {
      if (!ssl) send();
      else if (sslNegotiation !== 'direct') made.requestSsl();
    });
    made.on('sslconnect', send);
    made.on('error', () => resolve('unreachable'));
    // The server gives no answer, and ends the connection.
    made.on('end', () => resolve(sent ? 'sent' : 'unreachable'));
    if (typeof host === 'string' && host.startsWith('/')) made.connect(`${host}/.s.PGSQL.${String(port)}`);
    else made.connect(port, host);
    return await promise;
  } catch {
    return 'impossible';
  } finally {
    clearTimeout(timer);
    wire?.stream.destroy();
  }
}
