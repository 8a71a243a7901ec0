/** Queries that wait for documents, and are ended: at once, and without leaving anything that keeps the process running. */
import { expect, test } from 'vitest';
import { opened, settled } from '../support/opened-theatre.ts';
import { onLocalStores, onMemoryAndSqlite } from '../support/stores.ts';
import { filled, theatre } from '../support/theatre.ts';
import { until } from '../support/until.ts';

const house = theatre();
/** No event comes there. */
const AHEAD = 1_000;
/** Less than what a query waits at most. */
const SOON_MS = 1_000;

const running = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

async function took(work: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work.catch(() => undefined);
  return performance.now() - began;
}

onLocalStores('a query that waits', (makeStore) => {
  test('ends at once with its signal, also in the turn that it was asked in', async () => {
    const app = await opened(house, { store: makeStore() });
    await filled(app, house, 10);
    await settled(app);
    await app.find(house.seats);
    for (const ask of ['find', 'count'] as const) {
      const controller = new AbortController();
      const asked = app[ask](house.seats, { fresh: AHEAD, signal: controller.signal });
      controller.abort('enough');
      expect(await took(asked)).toBeLessThan(SOON_MS);
      await expect(asked).rejects.toBe('enough');
      const soon = new AbortController();
      const waiting = app[ask](house.seats, { fresh: AHEAD, signal: soon.signal });
      setTimeout(() => soon.abort('enough'), 20);
      expect(await took(waiting)).toBeLessThan(SOON_MS);
      await expect(waiting).rejects.toBe('enough');
    }
  });

  test('ends at once when the application is closed, also in the turn that it was asked in', async () => {
    const app = await opened(house, { store: makeStore() });
    await filled(app, house, 10);
    await app.find(house.seats);
    const asked = app.find(house.seats, { fresh: AHEAD });
    const counted = app.count(house.seats, { fresh: AHEAD });
    const closed = app.close();
    for (const one of [asked, counted]) {
      expect(await took(one)).toBeLessThan(SOON_MS);
      await expect(one).rejects.toMatchObject({ code: 'Closed' });
    }
    await closed;
  });
});

// The pool of a database keeps a timer for each connection that is idle, and the connection keeps the process running.
onMemoryAndSqlite('a query that has given up', (makeStore) => {
  test('no timer keeps the process running', async () => {
    const app = await opened(house, { store: makeStore() });
    await filled(app, house, 10);
    await settled(app);
    await app.find(house.seats);
    const controller = new AbortController();
    const asked = app.find(house.seats, { fresh: AHEAD, signal: controller.signal });
    setTimeout(() => controller.abort(), 300);
    await took(asked);
    const gaveUp = performance.now();
    await until(() => running() === 0);
    expect(performance.now() - gaveUp).toBeLessThan(SOON_MS);
  });
});
