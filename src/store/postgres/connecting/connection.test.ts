/** What may happen to a connection while nobody uses it. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Pool } from 'pg';
import { expect, it } from 'vitest';
import { postgres } from '../index.ts';

const message = (type: string, ...parts: readonly (string | Buffer)[]): Buffer => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  const head = Buffer.alloc(5, type);
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};

const WELCOME = [message('R', Buffer.alloc(4)), message('Z', 'I')];
const FAREWELL = message('E', 'SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0');

it.each(['its own pool', 'a pool of the user’s'])(
  'a connection that ends in the packet that it begins in doesn’t end the process (%s)',
  async (whose) => {
    // As a server does that is told to end: nobody has had the time to listen to the connection.
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(Buffer.concat([...WELCOME, FAREWELL])));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `postgres://ann@127.0.0.1:${(server.address() as AddressInfo).port}/db`;
    const pool = whose === 'its own pool' ? undefined : new Pool({ connectionString: url, max: 2 });
    try {
      const store = postgres(pool ?? url, { connectTimeoutMs: 200 });
      await expect(store.open()).rejects.toThrow(expect.objectContaining({ code: 'StoreUnavailable' }));
    } finally {
      await pool?.end();
      server.close();
    }
  },
);
