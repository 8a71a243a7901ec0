/**
 * A reader that pages through the log while writers are held in the middle of their transactions, with positions taken
 * and not yet committed. The control is a log by sequence numbers, which does skip.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { open, StoreUnavailable } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { testDatabase, waitsFor } from '../../support/postgres.ts';
import { Proxy } from '../../support/proxy.ts';
import { order, orderOf } from '../orders.ts';
import { seeded } from '../../support/seed.ts';
import { followed, misread, type Followed } from './follow.ts';
import { parts } from './load.ts';
import { until } from '../../support/until.ts';

const ROUNDS = 8;
/** Pages that are read while a writer is held. */
const PAGES = 3;

const database = testDatabase();
let proxy: Proxy;
beforeEach(async () => void (proxy = await Proxy.to(Number(new URL(database.url).port))));
afterEach(() => proxy.close());

/** Pages on from where it was, without a pause, until it is told to stop. */
class Reader {
  readonly given: Followed[] = [];
  readonly #page: (after: number) => AsyncIterable<Followed>;
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;
  #pages = 0;

  constructor(page: (after: number) => AsyncIterable<Followed>) {
    this.#page = page;
    this.#reading = this.#read();
  }

  /** Resolves when so many pages were begun and ended from now on. */
  async pages(count: number): Promise<void> {
    const last = this.#pages + count + 1;
    await until(() => this.#pages >= last);
  }

  async stop(): Promise<readonly Followed[]> {
    this.#stop.abort();
    await this.#reading;
    return this.given;
  }

  async #read(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for await (const event of this.#page(this.given.at(-1)?.[0] ?? 0)) this.given.push(event);
      this.#pages += 1;
      await sleep(1);
    }
  }
}

/** Lets one writer that waits for a lock of this kind be there. */
const waiting = (table: string, count = 1) =>
  until(async () => (await database.run(`SELECT ${waitsFor(table)}`)).length >= count);

test('law 3, lessons 3, 4: a reader is given what slow writers commit in its place, and skips nothing', async () => {
  const schema = 'slow';
  const random = seeded();
  const url = new URL(database.url);
  url.hostname = '127.0.0.1';
  url.port = String(proxy.port);
  // Its batches are sections under the write lock, with a COMMIT of their own.
  const slow = await open({ store: postgres(url.href, { schema }), ...parts, limits: { triesMax: 1 } });
  const others = await Promise.all([1, 2].map(() => open({ store: postgres(database.url, { schema }), ...parts })));
  const reading = await open({ store: postgres(database.url, { schema }), ...parts });
  const reader = new Reader(async function* (after) {
    for await (const event of reading.events({ after })) yield followed(event);
  });
  onTestFinished(async () => {
    await reader.stop();
    await Promise.all([slow, ...others, reading].map((app) => app.close()));
  });
  let orders = 0;
  const send = async (app: typeof slow): Promise<void> => {
    const id = `o${(orders += 1)}`;
    const input = orderOf(id, random);
    for (;;) {
      try {
        return void (await app.execute(order, input, { id }));
      } catch (error) {
        // Its backend was ended under the write lock: nothing was stored, and the caller hears of it.
        if (!(error instanceof StoreUnavailable)) throw error;
      }
    }
  };
  const all = async (): Promise<Followed[]> => {
    const log: Followed[] = [];
    for await (const event of reading.events()) log.push(followed(event));
    return log;
  };
  /** Reads on while writers are held, of which nothing may be seen; lets them go; and all that they wrote is there. */
  const held = async (release: () => Promise<void> | void, writers: readonly Promise<unknown>[]): Promise<void> => {
    const before = reader.given.length;
    await reader.pages(PAGES);
    expect(reader.given.length).toBe(before);
    await release();
    await Promise.all(writers);
    await reader.pages(PAGES);
    expect(reader.given.length).toBeGreaterThan(before);
  };

  for (let round = 0; round < ROUNDS; round += 1) {
    // What it wrote is complete but for the last word; the others wait for its lock.
    proxy.hold = (bytes) => bytes.includes('COMMIT\0');
    const first = send(slow);
    await until(() => proxy.holding);
    proxy.hold = () => false;
    const later = others.map(send);
    await waiting('write_lock', later.length);
    await held(() => proxy.release(), [first, ...later]);

    // Its commit and its events are written, the index isn't: that row waits for somebody else's lock.
    const client = new Client(database.url);
    await client.connect();
    await client.query(`BEGIN; LOCK TABLE ${schema}.attachments IN SHARE ROW EXCLUSIVE MODE`);
    const inMiddle = [...others, slow].map(send);
    await waiting('attachments');
    await waiting('write_lock', inMiddle.length - 1);
    const isEnded = round % 2 === 1;
    await held(async () => {
      // One that is ended there leaves its positions to the next.
      if (isEnded) {
        await database.run(`SELECT pg_terminate_backend(pid) ${waitsFor('attachments')}`);
      }
      await client.query('COMMIT');
      await client.end();
    }, inMiddle);
  }
  await Promise.all([slow, ...others].map((app) => app.close()));
  const log = await all();
  await until(() => reader.given.length >= log.length);
  expect(misread('the reader', await reader.stop(), log)).toEqual([]);
  expect(new Set(log.map(([, id]) => id)).size).toBe(orders);
  expect((await reading.verify()).problems).toEqual([]);
});

function asEvent({ position, id }: { position: string; id: string }): Followed {
  return [Number(position), id, 'NOTED'];
}

test('law 3, lesson 3, control: the same reader on a log by sequence numbers skips an event', async () => {
  await database.run('CREATE TABLE numbered (position bigserial PRIMARY KEY, id text NOT NULL)');
  const page = (after: number): Promise<{ position: string; id: string }[]> =>
    database.run(`SELECT position, id FROM numbered WHERE position > ${after} ORDER BY position LIMIT 10`);
  const reader = new Reader(async function* (after) {
    yield* (await page(after)).map(asEvent);
  });
  const slow = new Client(database.url);
  await slow.connect();
  await slow.query(`BEGIN; INSERT INTO numbered (id) VALUES ('slow')`);
  await database.run(`INSERT INTO numbered (id) VALUES ('quick')`);
  await until(() => reader.given.length === 1);
  await slow.query('COMMIT');
  await slow.end();
  await reader.pages(PAGES);
  const log = (await page(0)).map(asEvent);
  expect(log).toHaveLength(2);
  expect(misread('the reader', await reader.stop(), log)).toEqual([
    'the reader was not given 1,slow,NOTED before 2,quick,NOTED: it skipped it',
  ]);
});
