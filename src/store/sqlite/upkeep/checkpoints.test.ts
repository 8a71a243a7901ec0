/** A write-ahead log that grows behind a reader who stays: status and the logger tell of it, and it is copied once he has gone. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { domain, open, type } from 'tidemark';
import { expect, test } from 'vitest';
import { keepingLogger, temporaryFolder } from '../../../../test/support/stores.ts';
import { CHECKPOINT_PAGES } from '../connecting/connection.ts';
import { sqlite } from '../index.ts';

const shop = domain({ events: { PUT: type<{ item_id: string; pad: string }>() } });
const items = shop.collection('items', { key: 'item_id', initial: {}, reduce: { PUT: (state) => state } });
const put = shop.command('PUT_IT', {
  input: type<{ item_id: string; pad: string }>(),
  decide: (_, input) => ({ type: 'PUT', ...input }),
});
const folder = temporaryFolder();
const MIB = 2 ** 20;

test('a forgotten reader is told of once, and what he kept back is copied by a thread when he has gone', async () => {
  const file = join(folder, 'kept.db');
  const logger = keepingLogger();
  const parts = { store: sqlite(file, { synchronous: 'normal' }), collections: [items], commands: [put], logger };
  await using app = await open(parts);
  let written = 0;
  const write = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      await app.execute(put, { item_id: `i${(written += 1) % 100}`, pad: 'x'.repeat(MIB / 2) });
    }
  };
  const walBytes = async (): Promise<number> => (await app.status()).storage.walBytes!;
  await write(2);
  expect(await walBytes()).toBeGreaterThan(MIB);

  const reader = new DatabaseSync(file, { readOnly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM events').get();
  await write(150);
  expect(await walBytes()).toBeGreaterThan(70 * MIB);
  await expect.poll(() => logger.lines.length, { timeout: 20_000 }).toBe(1);
  expect(logger.lines[0]).toMatchObject({ level: 'warn', details: { file } });
  expect(logger.lines[0]!.message).toContain('Find the programs');
  await write(5);

  reader.exec('COMMIT');
  await expect.poll(walBytes, { timeout: 20_000 }).toBeLessThan(20 * MIB);
  // Then commits copy again, and the log begins anew.
  await write(60);
  expect(await walBytes()).toBeLessThan(20 * MIB);
  expect(logger.lines).toHaveLength(1);
  reader.close();
  expect(await app.verify()).toMatchObject({ ok: true, events: written });
});

test('while there is always somebody who reads, not every commit copies, and one is told; then the log begins anew', async () => {
  const file = join(folder, 'read.db');
  const logger = keepingLogger();
  const parts = { store: sqlite(file, { synchronous: 'normal' }), collections: [items], commands: [put], logger };
  await using app = await open(parts);
  const looker = new DatabaseSync(file, { readOnly: true });
  const counted = (): Record<string, unknown> => looker.prepare('PRAGMA wal_checkpoint(NOOP)').get()!;
  const readers = [0, 1].map(() => new DatabaseSync(file, { readOnly: true }));
  let written = 0;
  const write = async (): Promise<void> => {
    await app.execute(put, { item_id: `i${(written += 1) % 100}`, pad: 'x'.repeat(MIB / 8) });
    // The next reader begins before the last has ended: all can be copied, and the log is never unread.
    const [next, last] = written % 2 ? readers : readers.toReversed();
    next!.exec('BEGIN');
    next!.prepare('SELECT count(*) FROM events').get();
    if (last!.isTransaction) last!.exec('COMMIT');
  };
  let copies = 0;
  let before: unknown = 0;
  for (let n = 0; n < 700; n += 1) {
    await write();
    const { checkpointed } = counted();
    if (checkpointed !== before) copies += 1;
    before = checkpointed;
  }
  expect(counted()['log']).toBeGreaterThan(2 * CHECKPOINT_PAGES);
  // Some 23,000 pages.
  expect(copies).toBeGreaterThan(1);
  expect(copies).toBeLessThan(300);
  expect(logger.lines.map(({ message }) => message)).toMatchObject([expect.stringContaining('several that overlap')]);
  for (const reader of readers) reader.close();
  for (let n = 0; n < 200; n += 1) await app.execute(put, { item_id: `i${n % 100}`, pad: 'x'.repeat(MIB / 8) });
  expect(counted()['log']).toBeLessThan(2 * CHECKPOINT_PAGES);
  looker.close();
});

test('a reader who stays keeps nobody from closing', async () => {
  const file = join(folder, 'closed.db');
  const logger = keepingLogger();
  const parts = { store: sqlite(file, { synchronous: 'normal' }), collections: [items], commands: [put], logger };
  const app = await open(parts);
  const reader = new DatabaseSync(file, { readOnly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM events').get();
  for (let n = 0; n < 80; n += 1) await app.execute(put, { item_id: `i${n}`, pad: 'x'.repeat(MIB / 2) });
  await app.close();
  expect(logger.lines).toEqual([]);
  reader.close();
  await using again = await open(parts);
  expect((await again.status()).position).toBe(80);
});
