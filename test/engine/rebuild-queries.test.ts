/** Queries and watchers while another set of documents takes the place of theirs: nobody is left waiting, and nothing goes back. */
import type { Document, Page } from 'tidemark';
import { expect, test } from 'vitest';
import { onLocalStores } from '../support/stores.ts';
import { opened, settled } from '../support/opened-theatre.ts';
import { place, theatre, type Seat, type TheatreApp } from '../support/theatre.ts';

const [wrong, mended] = [theatre(), theatre({ counts: 10 })];

async function writtenWrongly(app: TheatreApp): Promise<void> {
  for (let n = 0; n < 3; n += 1) await app.execute(wrong.book, place(n));
  await settled(app);
  await app.close();
}

const timesOf = ({ documents }: Page<Seat>): readonly number[] => documents.map(({ state }) => state.times);

async function next<T>(watching: AsyncIterator<T>): Promise<T> {
  return (await watching.next()).value as T;
}

onLocalStores('watchers and a rebuild', (makeStore) => {
  test('watchers see the documents that were folded again, and what comes after', async () => {
    const store = makeStore();
    await writtenWrongly(await opened(wrong, { store }));
    const app = await opened(mended, { store });
    const pages = app.watch(mended.seats, {}) as AsyncIterableIterator<Page<Seat>>;
    const seat = app.watch(mended.seats, 's0') as AsyncIterableIterator<Document<Seat>>;
    expect(timesOf(await next(pages))).toEqual([1, 1, 1]);
    expect((await next(seat)).state.times).toBe(1);
    const waiting = [next(pages), next(seat)] as const;
    await app.rebuild(mended.seats);
    expect(timesOf(await waiting[0])).toEqual([10, 10, 10]);
    expect((await waiting[1]).state.times).toBe(10);
    const later = [next(pages), next(seat)] as const;
    await app.execute(mended.put, { events: [{ type: 'BOOKED', ...place(0) }] });
    expect(timesOf(await later[0])).toEqual([20, 10, 10]);
    expect((await later[1]).state.times).toBe(20);
    await Promise.all([pages.return?.(), seat.return?.()]);
  });

  test('a server without reduction sees them too, and a watcher of one that has it, wherever it was done', async () => {
    const store = makeStore();
    await writtenWrongly(await opened(wrong, { store }));
    const servers = [
      await opened(mended, { store }),
      await opened(mended, { store, reduction: 'off' }),
      await opened(mended, { store }),
    ];
    const watching = servers.map((app) => app.watch(mended.seats, {}) as AsyncIterableIterator<Page<Seat>>);
    for (const one of watching) expect(timesOf(await next(one))).toEqual([1, 1, 1]);
    const waiting = watching.map(next);
    await servers[0]!.rebuild(mended.seats);
    // Whoever stores or loads something meets the change.
    for (const app of servers) await app.get(mended.seats, 's0');
    for (const one of waiting) expect(timesOf(await one)).toEqual([10, 10, 10]);
    for (const one of watching) await one.return?.();
  });
});

onLocalStores('queries and a rebuild', (makeStore) => {
  test('own writes are found while sets are swapped, without long waits; and what was found doesn’t go back', async () => {
    const app = await opened(wrong, { store: makeStore() });
    const state = { isWriting: true };
    const waits: number[] = [];
    const writing = Array.from({ length: 4 }, async (_, n) => {
      for (let version = 1; state.isWriting; version += 1) {
        await app.execute(wrong.put, { events: [{ type: 'BOOKED', ...place(n) }] });
        const began = performance.now();
        const where = { $id: `s${n}` };
        expect((await app.find(wrong.seats, { where })).documents[0]!.version).toBe(version);
        expect((await app.find(wrong.seats, { where, fresh: false })).documents[0]!.version).toBe(version);
        waits.push(performance.now() - began);
      }
    });
    for (let n = 0; n < 6; n += 1) await app.rebuild(wrong.seats);
    state.isWriting = false;
    await Promise.all(writing);
    expect(Math.max(...waits)).toBeLessThan(3_000);
  });
});
