/**
 * A failover to a copy that lags, while something is made of events that only the old primary had: nothing of it is stored there
 * (law 9), and the server notices.
 */
import { backup, DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import type { Store } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { expect, test } from 'vitest';
import type { Session } from '../../src/store/store.ts';
import { whole } from '../conformance/mutant.ts';
import { expectReduced, opened, settled } from '../support/opened-theatre.ts';
import { filled, place, theatre } from '../support/theatre.ts';
import { temporaryFolder } from '../support/stores.ts';
import { until } from '../support/until.ts';

const folder = temporaryFolder();
let files = 0;

/** A store, and a copy of it as it was at `copy`. From the first call on for which `fails` is true, all go to the copy. */
function copied(fails: (call: keyof Session) => boolean | Promise<boolean>) {
  const [primary, standby] = [1, 2].map(() => join(folder, `${(files += 1)}.db`)) as [string, string];
  let [hasFailed, isOver] = [false, false];
  const store: Store = {
    name: 'sqlite',
    async open(opening) {
      const old = whole(await sqlite(primary).open(opening));
      let copy: Promise<Session> | undefined;
      const now = async (call: keyof Session): Promise<Session> => {
        if (!hasFailed && (await fails(call))) hasFailed = true;
        return hasFailed ? (copy ??= sqlite(standby).open(opening).then(whole)) : old;
      };
      const calls = Object.keys(old) as (keyof Session)[];
      const either = calls.map((call) => [
        call,
        async (...given: never[]) => {
          const hadFailed = hasFailed;
          const session = await now(call);
          const answering = (session[call] as (...given: never[]) => Promise<unknown>)(...given);
          if (hasFailed && !hadFailed) void answering.finally(() => (isOver = true)).catch(() => undefined);
          return answering;
        },
      ]);
      return {
        ...(Object.fromEntries(either) as Session),
        async close(closing) {
          await Promise.all([old.close(closing), copy?.then((session) => session.close(closing))]);
        },
      };
    },
  };
  const copy = async (): Promise<void> => {
    const database = new DatabaseSync(primary);
    await backup(database, standby);
    database.close();
  };
  return { store, copy, primary: sqlite(primary), standby: sqlite(standby), hasFailed: () => isOver };
}

const house = theatre({ hasRooms: true, indexes: ['times'] });

test('a step from events that the copy doesn’t have is not stored, and the server has seen that it went back', async () => {
  let isArmed = false;
  const { store, copy, standby, hasFailed } = copied((call) => isArmed && call === 'advance');
  const app = await opened(house, { store });
  for (let n = 0; n < 5; n += 1) await app.execute(house.book, place(n));
  await settled(app);
  await copy();
  isArmed = true;
  await app.execute(house.book, place(6));
  await until(hasFailed);
  await until(async () => (await app.status()).state === 'diverged');
  await expect(app.execute(house.book, place(7))).rejects.toMatchObject({ code: 'HistoryDiverged' });
  await app.close();
  const again = await opened(house, { store: standby });
  await expectReduced(again, house.seats);
  expect(await again.get(house.seats, 's6')).toMatchObject({ version: 0 });
  // Another event takes the place of the one that is lost.
  await again.execute(house.book, place(8));
  await expectReduced(again, house.seats);
  await expectReduced(again, house.rooms);
});

test('a page of events that the copy doesn’t have is attached to nothing there', async () => {
  const [old, grown] = [theatre(), theatre({ hasRooms: true })];
  let scans = 0;
  const { store, copy, standby, primary, hasFailed } = copied(async (call) => {
    // While its first page is read, the primary gets events that the copy never sees, and the copy gets others.
    if (call === 'scan' && (scans += 1) === 1) {
      await copy();
      for (const [at, first] of [
        [primary, 600],
        [standby, 700],
      ] as const) {
        const app = await opened(old, { store: at, reduction: 'off' });
        for (let n = 0; n < 3; n += 1) await app.execute(old.book, place(first + n));
        await app.close();
      }
    }
    return call === 'exclusive' && scans > 0;
  });
  const before = await opened(old, { store: primary });
  await filled(before, old, 100);
  await settled(before);
  await before.close();
  const after = await opened(grown, { store, reduction: 'off' });
  await until(hasFailed);
  await expect(after.get(grown.seats, 's600')).rejects.toMatchObject({ code: 'HistoryDiverged' });
  await after.close();
  const again = await opened(grown, { store: standby });
  await expectReduced(again, grown.rooms);
  expect((await again.get(grown.seats, 's600')).version).toBe(0);
  expect((await again.get(grown.seats, 's700')).version).toBe(1);
});
