/**
 * Going on from a place that was kept: it must be one of this log (lesson 31). A position alone shows a log that is shorter;
 * with the hash also one that has grown again.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { renameSync } from 'node:fs';
import { all, domain, HistoryDiverged, InvalidInput, open, type, type LogPoint, type RecordedEvent } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { expect, onTestFinished, test, vi } from 'vitest';
import { parts, services, viewService } from '../support/market.ts';
import { range } from '../../src/testing/conformance/batches.ts';
import { type Market, openedMarket } from '../support/opened-market.ts';
import { collect, onEveryStore, temporaryFolder } from '../support/stores.ts';
import { troubled } from '../support/troubled.ts';

const positions = async (events: AsyncIterable<RecordedEvent>): Promise<number[]> =>
  (await collect(events)).map(({ position }) => position);

const files = temporaryFolder();

async function views(app: Market, count: number, service_id = 's'): Promise<void> {
  for (let n = 0; n < count; n += 1) await app.execute(viewService, { service_id });
}

/** One command, several events. */
const lab = domain({ events: { SEEN: type<{ thing_id: string; n: number }>() } });
const things = lab.collection('things', {
  key: 'thing_id',
  initial: { n: 0 },
  reduce: { SEEN: (_, { n }) => ({ n }) },
});
const see = lab.command('SEE', {
  input: type<{ thing_ids: string[] }>(),
  *reads({ thing_ids }) {
    return { seen: yield* all(thing_ids.map((id) => things.ref(id))) };
  },
  decide: ({ seen }) => seen.map(({ id, state }) => ({ type: 'SEEN', thing_id: id, n: state.n + 1 })),
});

onEveryStore('going on from where one was', (makeStore) => {
  test('lesson 31: a position behind the end is refused at once, whoever follows or not', async () => {
    const app = await openedMarket(makeStore());
    await views(app, 5);
    for (const options of [{}, { follow: true }, { reverse: true }, { types: ['NEVER'] }, { before: 3 }] as const) {
      const events = app.events({ ...options, after: 10 });
      const error: unknown = await events.next().catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(HistoryDiverged);
      expect(error).toMatchObject({ retryable: false, details: { after: { position: 10 }, end: 5 } });
      expect((error as Error).message).toMatch(/ends at 5.*position 10/);
      expect(await events.next()).toEqual({ done: true, value: undefined });
    }
    // It is that reader's to hear of: nothing is wrong with what this server has seen.
    expect((await app.status()).state).toBe('open');
    expect(await positions(app.events({ after: 5 }))).toEqual([]);
    const next = app.events({ follow: true, after: 5, limit: 1 }).next();
    await views(app, 1);
    expect((await next).value?.position).toBe(6);
  });

  test('lesson 31: a version behind a document’s head is refused at once', async () => {
    const app = await openedMarket(makeStore());
    await views(app, 3, 'a');
    for (const [id, after, head] of [
      ['a', 4, 3],
      ['never', 1, 0],
    ] as const) {
      for (const follow of [true, false]) {
        const error: unknown = await app
          .history(services, id, { follow, after })
          .next()
          .catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(HistoryDiverged);
        expect(error).toMatchObject({ details: { collection: 'services', id, after, head } });
      }
    }
    expect(await positions(app.history(services, 'a', { after: 3 }))).toEqual([]);
    const next = app.history(services, 'a', { follow: true, after: 3, limit: 1 }).next();
    await views(app, 1, 'a');
    expect((await next).value?.position).toBe(4);
  });

  test('a point: what status, an outcome or an event says is what to keep, also in the middle of a commit', async () => {
    const app = await open({ store: makeStore(), collections: [things], commands: [see] });
    onTestFinished(() => app.close());
    expect(await positions(app.events({ after: await app.status() }))).toEqual([]);
    const outcomes = [];
    for (const thing_ids of [['a', 'b', 'a'], ['b'], ['c', 'a']]) outcomes.push(await app.execute(see, { thing_ids }));
    const read = await collect(app.events());
    // However it was come by, it is the same.
    expect(outcomes.flatMap(({ events }) => events)).toEqual(read);
    const [first, second, third] = outcomes.map(({ events }) => events[0]!.hash);
    expect(read.map(({ hash }) => hash)).toEqual([first, first, first, second, third, third]);
    expect(await app.status()).toMatchObject({ position: 6, hash: third });
    for (const { position, hash } of [{ position: 0, hash: '0'.repeat(64) }, ...read]) {
      const point: LogPoint = { position, hash };
      expect(await positions(app.events({ after: point }))).toEqual(range(position + 1, 6));
      const ofA = read.filter((one) => one.attachments[0]!.id === 'a' && one.position > position);
      expect(await collect(app.history(things, 'a', { after: point }))).toEqual(ofA);
      expect((await app.verify({ expect: point })).problems).toEqual([]);
    }
    expect(await positions(app.events({ after: read[1]!, limit: 1, follow: true }))).toEqual([3]);
    expect(await positions(app.history(things, 'a', { after: read[1]!, limit: 1, follow: true }))).toEqual([3]);

    const wrong: LogPoint[] = [
      { position: 1, hash: second! },
      { position: 3, hash: second! },
      { position: 4, hash: first! },
      { position: 6, hash: 'f'.repeat(64) },
      { position: 0, hash: first! },
      { position: 7, hash: third! },
    ];
    for (const after of wrong) {
      for (const follow of [true, false]) {
        const refused = { code: 'HistoryDiverged', details: { after, end: 6 } };
        await expect(app.events({ after, follow }).next()).rejects.toMatchObject(refused);
        await expect(app.history(things, 'a', { after, follow }).next()).rejects.toMatchObject(refused);
      }
      const { problems } = await app.verify({ expect: after });
      expect(problems).toMatchObject([{ code: 'HistoryDiverged', position: after.position }]);
    }
    expect((await app.status()).state).toBe('open');
  });

  test('what is no place is refused where it is given', async () => {
    const app = await openedMarket(makeStore());
    for (const after of [
      -1,
      1.5,
      '1',
      null,
      {},
      { position: 1 },
      { position: -1, hash: '0'.repeat(64) },
      { position: 1, hash: 'x' },
    ]) {
      expect(() => app.events({ after } as never)).toThrow(InvalidInput);
      expect(() => app.history(services, 's', { after } as never)).toThrow(InvalidInput);
    }
  });

  test('lesson 31: a log that was put back and has grown again skips nothing for whoever kept a hash', async () => {
    const [before, restored] = [makeStore(), makeStore()];
    const was = await openedMarket(before);
    await views(was, 10);
    const kept = (await collect(was.events({ after: 9 })))[0]!;
    // Another server, another day: the same length, and then more.
    const app = await openedMarket(restored);
    await views(app, 12, 'other');
    for (const follow of [true, false]) {
      await expect(app.events({ after: kept, follow }).next()).rejects.toBeInstanceOf(HistoryDiverged);
      await expect(app.history(services, 'other', { after: kept, follow }).next()).rejects.toBeInstanceOf(
        HistoryDiverged,
      );
    }
  });

  test('law 9: a log that is replaced by a longer one while it is followed ends that, and nothing of it is given', async () => {
    const [now, other] = [makeStore(), makeStore()];
    const store = troubled(now, other);
    await views(await openedMarket(other), 9);
    const app = await openedMarket(store);
    await views(app, 5);
    const seen: number[] = [];
    const follow = async (events: AsyncIterable<RecordedEvent>): Promise<void> => {
      for await (const { position } of events) seen.push(position);
    };
    const following = Promise.allSettled([
      follow(app.events({ follow: true })),
      follow(app.history(services, 's', { follow: true })),
      follow(app.events({ follow: true, after: await app.status(), types: ['SERVICE_VIEWED'] })),
    ]);
    await vi.waitFor(() => expect(seen).toHaveLength(10));
    store.goBack();
    for (const ended of await following) {
      expect(ended).toMatchObject({ status: 'rejected', reason: { code: 'HistoryDiverged' } });
    }
    expect(seen).toHaveLength(10);
    expect((await app.status()).state).toBe('diverged');
  });
});

test('lesson 31: a file that was put back: what was kept from the one before is refused, on real files', async () => {
  const file = join(files, 'shop.db');
  const first = await open({ store: sqlite(file), ...parts });
  await views(first, 5);
  const database = new DatabaseSync(file);
  database.exec(`VACUUM INTO '${join(files, 'copy.db')}'`);
  database.close();
  await views(first, 5);
  const checkpoint = (await collect(first.events({ reverse: true, limit: 1 })))[0]!;
  await first.close();
  renameSync(join(files, 'copy.db'), file);
  const app = await openedMarket(sqlite(file));
  await expect(app.events({ after: checkpoint.position, follow: true }).next()).rejects.toBeInstanceOf(HistoryDiverged);
  await views(app, 7, 'new');
  // The number says nothing any more; the hash does.
  expect(await positions(app.events({ after: checkpoint.position }))).toEqual([11, 12]);
  await expect(app.events({ after: checkpoint, follow: true }).next()).rejects.toBeInstanceOf(HistoryDiverged);
  await expect(app.history(services, 'new', { after: checkpoint }).next()).rejects.toBeInstanceOf(HistoryDiverged);
});
