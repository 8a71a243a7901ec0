/** Documents that couldn't be folded, and servers whose code can: stored documents never go back (law 6), and are found once. */
import type { Store } from 'tidemark';
import { expect, test } from 'vitest';
import type { SetStep } from '../../src/store/store.ts';
import { changedStore } from '../faults/over-session.ts';
import { expectReduced, opened, settled } from '../support/opened-theatre.ts';
import { storedSet } from '../support/stored-set.ts';
import { onLocalStores } from '../support/stores.ts';
import { place, theatre, type Theatre, type TheatreApp } from '../support/theatre.ts';
import { until } from '../support/until.ts';

const indexes = ['times'];
const failing = (...guests: string[]): Theatre => theatre({ indexes, fails: (guest) => guests.includes(guest) });
const broken = failing('g13', 'g14');
const half = failing('g14');
const sound = failing();

/** A store whose steps are held while they are chosen; `versions` are those of s1 that were stored, one after the other. */
class Held {
  readonly store: Store;
  readonly versions: readonly number[];
  readonly #open = Promise.withResolvers<void>();
  holds: (step: SetStep) => boolean = () => false;
  isHolding = false;

  constructor(plain: Store, versions: number[]) {
    this.versions = versions;
    this.store = changedStore(plain, (session) => ({
      advance: async (step) => {
        if (this.holds(step)) {
          this.isHolding = true;
          await this.#open.promise;
        }
        const stepped = await session.advance(step);
        const document = step.documents.find(({ id }) => id === 's1');
        if (stepped === 'stored' && document) versions.push(document.version);
        return stepped;
      },
    }));
  }

  /** Lets go of the steps, and holds none any more. */
  release(): void {
    this.holds = () => false;
    this.#open.resolve();
  }
}

const isMend = ({ from, to }: SetStep): boolean => from.position === to.position;
const booked = (app: TheatreApp, { put }: Theatre, guest_id: string): Promise<unknown> =>
  app.execute(put, { events: [{ type: 'BOOKED', ...place(1, { guest_id }) }] });

onLocalStores('documents that another server can fold', (makeStore) => {
  test('a server that has read one as failed doesn’t set it back when it was mended meanwhile', async () => {
    const plain = makeStore();
    const versions: number[] = [];
    const [one, two] = [new Held(plain, versions), new Held(plain, versions)];
    const a = await opened(broken, { store: one.store });
    for (const guest of ['g1', 'g13', 'g2']) await booked(a, broken, guest);
    await settled(a);
    const stored = await storedSet(plain);
    expect(await stored.document('s1')).toMatchObject({ version: 1, failed: expect.stringContaining('g13') });
    two.holds = isMend;
    const b = await opened(sound, { store: two.store });
    await until(() => two.isHolding);
    // It has read s1 as failed, and is about to move the set on.
    one.holds = () => true;
    await booked(a, broken, 'g3');
    await until(() => one.isHolding);
    two.release();
    await until(async () => (await stored.document('s1'))?.failed === undefined);
    one.release();
    await until(async () => (await stored.document('s1'))?.version === 4);
    await a.close();
    await booked(b, sound, 'g4');
    await expectReduced(b, sound.seats);
    const orderBy = { times: 'asc' } as const;
    expect((await b.find(sound.seats, { orderBy: [orderBy] })).documents).toMatchObject([{ id: 's1', version: 5 }]);
    expect(await b.count(sound.seats, { where: { times: { gte: 0 } } })).toBe(1);
    expect(await stored.entries()).toBe(1);
    expect(versions).toEqual(versions.toSorted((x, y) => x - y));
  });

  test('of two that mend one, the later doesn’t store an older version', async () => {
    const plain = makeStore();
    const versions: number[] = [];
    const [one, two] = [new Held(plain, versions), new Held(plain, versions)];
    const a = await opened(broken, { store: plain });
    for (const guest of ['g1', 'g13', 'g14', 'g2']) await booked(a, broken, guest);
    await settled(a);
    await a.close();
    one.holds = isMend;
    const first = await opened(half, { store: one.store });
    await until(() => one.isHolding);
    const second = await opened(sound, { store: two.store });
    await until(async () => (await second.count(sound.seats)) === 1);
    one.release();
    await booked(first, half, 'g3');
    await booked(second, sound, 'g4');
    await expectReduced(second, sound.seats);
    const stored = await storedSet(plain);
    expect(await stored.document('s1')).toMatchObject({ version: 6 });
    expect(await stored.entries()).toBe(1);
    expect(versions).toEqual(versions.toSorted((x, y) => x - y));
    expect((await second.verify()).problems).toEqual([]);
  });

  test.each(['background', 'off'] as const)('a watcher sees one that was mended: reduction %s', async (reduction) => {
    const store = makeStore();
    const a = await opened(broken, { store });
    await booked(a, broken, 'g13');
    await settled(a);
    const watcher = reduction === 'off' ? await opened(broken, { store, reduction }) : a;
    const watched = watcher.watch(broken.seats, {});
    expect((await watched.next()).value).toMatchObject({ documents: [] });
    const next = watched.next();
    await opened(sound, { store });
    expect((await next).value).toMatchObject({ documents: [{ id: 's1', version: 1 }] });
    await watched.return?.();
  });
});
