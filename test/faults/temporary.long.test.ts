/**
 * Law 9: a look that could not be made for want of room isn't one that found damage. SQLite sorts in temporary files what
 * is too much for memory; here they have a disk of 256 KiB, and the log has all the room it wants.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../support/stores.ts';
import { order, parts } from './orders.ts';
import { startServer, type Line } from './server-process.ts';

const ORDERS = 200;
const LINES = 999;
const folder = temporaryFolder();
const file = join(folder, 'market.db');

beforeAll(async () => {
  await using app = await open({ store: sqlite(file, { synchronous: 'off' }), ...parts });
  for (let n = 0; n < ORDERS; n += 1) {
    const skus = Array.from({ length: LINES }, (_, line) => `sku${n * LINES + line}`);
    await app.execute(order, { order_id: `order${n}`, customer_id: 'c1', skus, text: '' });
  }
});

async function verifiedWith(size: string): Promise<Line> {
  const at = join(folder, size);
  mkdirSync(at);
  const root = process.getuid?.() === 0;
  const mount = ['sh', '-c', `mount -t tmpfs -o size=${size} tmpfs "$0" && export SQLITE_TMPDIR="$0" && exec "$@"`, at];
  const server = startServer(
    new URL('temporary-server.ts', import.meta.url),
    [file],
    ['unshare', ...(root ? ['-m'] : ['-r', '-m']), ...mount],
  );
  return server.heard('verified');
}

test('control: with room for them the log is sound', async () => {
  expect(await verifiedWith('512m')).toMatchObject({ ok: true, problems: [], status: 'succeeded' });
});

test('without room it is said that the disk is full, and nothing of damage', async () => {
  const { ok, problems, status } = await verifiedWith('256k');
  expect({ ok, status }).toEqual({ ok: 'StoreUnavailable', status: 'succeeded' });
  expect(problems).toEqual([expect.stringMatching(/or to SQLite's temporary files: the disk is full/)]);
});
