/** Law 5, command by command: of a batch, those whose ground holds are stored, and only the others are decided again. */
import { domain, nothing, open, StoreUnavailable, type, type Store } from 'tidemark';
import { expect, test } from 'vitest';
import { changedStore } from '../faults/over-session.ts';
import { onEveryStore } from '../support/stores.ts';
import { UNHURRIED } from '../support/unhurried.ts';

const bank = domain({
  events: {
    PAID: type<{ account_id: string; cents: number; note_id?: string }>(),
    SEEN: type<{ account_id: string; cents: number }>(),
    COUNTED: type<{ note_id: string; count: number }>(),
  },
});
const accounts = bank.collection('accounts', {
  key: 'account_id',
  initial: { cents: 0 },
  reduce: { PAID: (account, { cents }) => ({ cents: account.cents + cents }) },
});
/** To which payments are attached, and which handle none. */
const notes = bank.collection('notes', {
  key: 'note_id',
  initial: { count: 0 },
  reduce: { COUNTED: (_, { count }) => ({ count }) },
});
/** Pays what there is, and one more: what it rests on shows. */
const double = bank.command('DOUBLE', {
  input: type<{ account_id: string; note_id?: string }>(),
  reads: ({ account_id }) => ({ account: accounts.ref(account_id) }),
  decide: ({ account }, { account_id, note_id }) => ({
    type: 'PAID',
    account_id,
    cents: account.state.cents + 1,
    ...(note_id !== undefined && { note_id }),
  }),
});
const count = bank.command('COUNT', {
  input: type<{ note_id: string }>(),
  reads: ({ note_id }) => ({ note: notes.ref(note_id) }),
  decide: ({ note }, { note_id }) => ({ type: 'COUNTED', note_id, count: note.state.count + 1 }),
});
/** Carries what one account has over to another. */
const carry = bank.command('CARRY', {
  input: type<{ from: string; to: string }>(),
  reads: ({ from }) => ({ account: accounts.ref(from) }),
  decide: ({ account }, { to }) => ({ type: 'PAID', account_id: to, cents: account.state.cents }),
});
/** Records nothing; who looks at how many cents is written down here. */
const looks: [id: string, cents: number][] = [];
const look = bank.command('LOOK', {
  input: type<{ account_id: string }>(),
  reads: ({ account_id }) => ({ account: accounts.ref(account_id) }),
  decide: ({ account }, { account_id }) => {
    looks.push([account_id, account.state.cents]);
    return nothing({ record: false });
  },
});

const parts = { collections: [accounts, notes], commands: [double, count, carry, look] } as const;

/** An application that has read the account, and another that has written to it since. */
async function moved(store: Store) {
  const app = await open({ store, ...parts, limits: UNHURRIED });
  const other = await open({ store, ...parts });
  await app.execute(double, { account_id: 'a' });
  await other.execute(double, { account_id: 'a' });
  return { app, other };
}

onEveryStore('of a batch of which a part rests on what has moved', (makeStore) => {
  test('lesson 33: the rest is stored at once, and that part in the next', async () => {
    const { app, other } = await moved(makeStore());
    await using _ = app;
    await using __ = other;
    const before = (await app.status()).counters;
    const ids = ['a', ...Array.from({ length: 20 }, (_, n) => `b${n}`)];
    const outcomes = await Promise.all(ids.map((account_id) => app.execute(double, { account_id })));
    expect(outcomes.every(({ status }) => status === 'succeeded')).toBe(true);
    expect(outcomes[0]!.position).toBeGreaterThan(outcomes[20]!.position);
    const { batches, conflicts, retried } = (await app.status()).counters;
    expect([batches - before.batches, conflicts - before.conflicts, retried - before.retried]).toEqual([2, 1, 1]);
    expect((await app.get(accounts, 'a')).state).toEqual({ cents: 1 + 2 + 4 });
    expect((await app.verify()).problems).toEqual([]);
  });

  test('what builds on that part is decided again with it', async () => {
    const { app, other } = await moved(makeStore());
    await using _ = app;
    await using __ = other;
    await Promise.all([
      app.execute(carry, { from: 'a', to: 'b' }),
      app.execute(carry, { from: 'b', to: 'c' }),
      app.execute(double, { account_id: 'd' }),
    ]);
    expect((await app.get(accounts, ['b', 'c', 'd'])).map(({ state }) => state.cents)).toEqual([3, 3, 1]);
    expect((await app.status()).counters.retried).toBe(2);
  });

  test('a document that it was to be attached to is at the version that it really has', async () => {
    const { app, other } = await moved(makeStore());
    await using _ = app;
    await using __ = other;
    // Notes don’t handle payments: the count stands, and the note is not as the batch has left it.
    await Promise.all([
      app.execute(double, { account_id: 'a', note_id: 'n' }),
      app.execute(count, { note_id: 'n' }),
      app.execute(double, { account_id: 'b', note_id: 'n' }),
    ]);
    await app.execute(count, { note_id: 'n' });
    const note = await app.get(notes, 'n');
    expect([note.version, note.state]).toEqual([4, { count: 2 }]);
    await other.execute(count, { note_id: 'n' });
    await app.execute(count, { note_id: 'n' });
    expect((await app.get(notes, 'n')).state).toEqual({ count: 4 });
    expect((await app.verify()).problems).toEqual([]);
  });

  test('a command that was executed elsewhere meanwhile is answered, and is in nobody’s way', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts });
    await using other = await open({ store, ...parts });
    const first = await other.execute(double, { account_id: 'a' }, { id: 'once' });
    const [again, ...rest] = await Promise.all([
      app.execute(double, { account_id: 'a' }, { id: 'once' }),
      app.execute(double, { account_id: 'b' }),
      app.execute(carry, { from: 'a', to: 'c' }),
    ]);
    expect(again).toEqual({ ...first, replayed: true });
    expect(rest.map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
    expect((await app.get(accounts, ['a', 'b', 'c'])).map(({ state }) => state.cents)).toEqual([1, 1, 1]);
  });

  test('what records nothing stands or falls as well, by what was stored before it', async () => {
    const { app, other } = await moved(makeStore());
    await using _ = app;
    await using __ = other;
    looks.length = 0;
    const outcomes = await Promise.all([
      app.execute(look, { account_id: 'b' }),
      app.execute(carry, { from: 'a', to: 'b' }),
      app.execute(look, { account_id: 'b' }),
      app.execute(double, { account_id: 'c' }),
      app.execute(look, { account_id: 'c' }),
    ]);
    expect(looks).toEqual([
      ['b', 0],
      ['b', 1],
      ['c', 1],
      ['b', 3],
    ]);
    // The first as of before anything was stored, the last as of what it saw.
    expect([outcomes[0].position, outcomes[4].position]).toEqual([2, outcomes[3].position]);
    expect(outcomes[2].position).toBe(outcomes[1].position);
  });

  test('who is told that nobody knows is stored once, also where that part of the batch comes late', async () => {
    let late: (() => Promise<unknown>) | undefined;
    const store = makeStore();
    const unsure = changedStore(store, (session) => ({
      append: async (batch) => {
        if (late) return session.append(batch);
        late = () => session.append(batch);
        // Another moves what a part of it rests on; then it arrives, and nobody hears of it.
        await other.execute(double, { account_id: 'a' });
        await late();
        throw new StoreUnavailable('The connection was lost.', { unknown: true });
      },
    }));
    await using other = await open({ store, ...parts });
    await using app = await open({ store: unsure, ...parts });
    await app.get(accounts, ['a', 'b']);
    const outcomes = await Promise.all([
      app.execute(double, { account_id: 'a' }),
      app.execute(double, { account_id: 'b' }),
    ]);
    expect(outcomes.map(({ status, replayed }) => [status, replayed])).toEqual([
      ['succeeded', false],
      ['succeeded', false],
    ]);
    expect((await app.get(accounts, ['a', 'b'])).map(({ version }) => version)).toEqual([2, 1]);
  });

  test('those that fell are decided again in the order they were sent in, before what came later', async () => {
    const { app, other } = await moved(makeStore());
    await using _ = app;
    await using __ = other;
    const falling = Array.from({ length: 6 }, (_, n) => app.execute(carry, { from: 'a', to: `fell ${n}` }));
    const stands = app.execute(double, { account_id: 'b' });
    // Sent once the first batch is on its way.
    const later = stands.then(() => app.execute(double, { account_id: 'c' }));
    const positions = (await Promise.all([...falling, later])).map(({ position }) => position);
    expect(positions).toEqual(positions.toSorted((one, next) => one - next));
    expect((await stands).position).toBeLessThan(positions[0]!);
  });

  test('a document that is stale, and to which what stands is attached, is as the store has it', async () => {
    const { app, other } = await moved(makeStore());
    await using _ = app;
    await using __ = other;
    // The second pays into a without a look at it.
    await Promise.all([
      app.execute(double, { account_id: 'a' }),
      app.execute(carry, { from: 'b', to: 'a' }),
      app.execute(double, { account_id: 'b' }),
    ]);
    const [a] = await app.get(accounts, ['a']);
    expect([a!.version, a!.state]).toEqual([4, { cents: 1 + 2 + 0 + 4 }]);
    const before = (await app.status()).counters.retried;
    await app.execute(double, { account_id: 'a' });
    expect((await app.status()).counters.retried).toBe(before);
    expect((await app.verify()).problems).toEqual([]);
  });

  test('where more has happened than was told, and the rest can’t be loaded, those who stand have their answers', async () => {
    const store = makeStore();
    let away = false;
    const failing = changedStore(store, (session) => ({
      load: async (requests, options) => {
        if (away && requests.length > 0) throw new StoreUnavailable('The network is gone.', { unknown: false });
        return session.load(requests, options);
      },
    }));
    await using app = await open({ store: failing, ...parts, limits: UNHURRIED });
    await using other = await open({ store, ...parts });
    await app.get(accounts, ['a', 'b']);
    // More than a refusal carries of one document.
    for (let n = 0; n < 150; n += 1) await other.execute(carry, { from: 'b', to: 'a' });
    away = true;
    const [fell, stood] = await Promise.allSettled([
      app.execute(double, { account_id: 'a' }),
      app.execute(double, { account_id: 'b' }),
    ]);
    away = false;
    expect(stood).toMatchObject({ status: 'fulfilled', value: { status: 'succeeded' } });
    expect(fell).toMatchObject({
      status: 'rejected',
      reason: { code: 'StoreUnavailable', details: { unknown: false } },
    });
    await app.execute(double, { account_id: 'a' });
    const [a, b] = await app.get(accounts, ['a', 'b']);
    expect([a!.version, a!.state.cents, b!.version]).toEqual([151, 1, 1]);
    expect((await app.verify()).problems).toEqual([]);
  });
});
