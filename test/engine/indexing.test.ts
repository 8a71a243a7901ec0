/** An index that comes later is filled by portions that take some milliseconds, whatever their documents take. */
import { setTimeout as sleep } from 'node:timers/promises';
import { memory } from 'tidemark/memory';
import { expect, test } from 'vitest';
import { changedStore } from '../faults/over-session.ts';
import { expectReduced, opened, settled } from '../support/opened-theatre.ts';
import { filled, theatre } from '../support/theatre.ts';

/** What a document takes, in milliseconds: a page of the most that there may be would take nearly a second. */
const DOCUMENT_MS = 2;

test('large documents are read by a few, so that nobody waits long for the lock', async () => {
  const house = theatre();
  const store = memory();
  const app = await opened(house, { store });
  await filled(app, house, 300);
  await settled(app);
  await app.close();
  const pages: number[] = [];
  const slow = changedStore(store, (session) => ({
    exclusive: (work, options) =>
      session.exclusive((locked) => {
        const stored: typeof locked.stored = async (range) => {
          const page = await locked.stored(range);
          if (page) pages.push(page.documents.length);
          await sleep(DOCUMENT_MS * (page?.documents.length ?? 0));
          return page;
        };
        return work({ ...locked, stored });
      }, options),
  }));
  const sorted = theatre({ indexes: ['times'] });
  const after = await opened(sorted, { store: slow });
  await expectReduced(after, sorted.seats);
  expect(pages.reduce((sum, count) => sum + count, 0)).toBe(300);
  expect(Math.max(...pages)).toBe(50);
  expect(Math.max(...pages.slice(6))).toBeLessThanOrEqual(6);
  const found = await after.find(sorted.seats, { orderBy: [{ times: 'asc' }], limit: 300 });
  expect(found.documents).toHaveLength(300);
});
