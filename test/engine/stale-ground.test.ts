/** Law 5: what decides an outcome is a read of the batch, also where the outcome is that something went wrong. */
import { domain, open, type } from 'tidemark';
import { expect, test } from 'vitest';
import { keepingLogger, onEveryStore } from '../support/stores.ts';
import { UNHURRIED } from '../support/unhurried.ts';

/** Made anew for each test: what a command was seen to read in several stages is fetched ahead the next time. */
function banking() {
  const bank = domain({
    events: {
      PAID_IN: type<{ account_id: string; cents: number }>(),
      PAID_OUT: type<{ account_id: string; cents: number }>(),
      LINKED: type<{ link_id: string; to: string }>(),
    },
  });
  const accounts = bank.collection('accounts', {
    key: 'account_id',
    initial: { cents: 0 },
    reduce: {
      PAID_IN: (account, { cents }) => ({ cents: account.cents + cents }),
      PAID_OUT: (account, { cents }) => {
        if (account.cents < cents) throw new Error(`${account.cents} is less than ${cents}`);
        return { cents: account.cents - cents };
      },
    },
  });
  const links = bank.collection('links', {
    key: 'link_id',
    initial: { to: 'nowhere' },
    reduce: { LINKED: (_, { to }) => ({ to }) },
  });
  const amount = type<{ account_id: string; cents: number }>();
  const payIn = bank.command('PAY_IN', { input: amount, decide: (_, input) => ({ type: 'PAID_IN', ...input }) });
  /** Reads nothing: only the reducer says no. */
  const payOut = bank.command('PAY_OUT', { input: amount, decide: (_, input) => ({ type: 'PAID_OUT', ...input }) });
  const link = bank.command('LINK', {
    input: type<{ link_id: string; to: string }>(),
    decide: (_, input) => ({ type: 'LINKED', ...input }),
  });
  /** Reads an account that only a link names: it comes into the batch in the middle. */
  const payBack = bank.command('PAY_BACK', {
    input: type<{ link_id: string }>(),
    *reads({ link_id }) {
      const { state } = yield* links.ref(link_id);
      return { account: yield* accounts.ref(state.to) };
    },
    decide: ({ account }) => ({ type: 'PAID_IN', account_id: account.id, cents: account.state.cents }),
  });
  const parts = { collections: [accounts, links], commands: [payIn, payOut, link, payBack] } as const;
  return { accounts, payIn, payOut, link, payBack, parts };
}

onEveryStore('law 5: what goes wrong', (makeStore) => {
  test('on a document that only a neighbour brought, and that has moved, is decided again', async () => {
    const { accounts, payIn, payOut, link, parts } = banking();
    const store = makeStore();
    await using app = await open({ store, ...parts, limits: UNHURRIED });
    await using other = await open({ store, ...parts, limits: UNHURRIED });
    await app.execute(payIn, { account_id: 'a', cents: 1 });
    const seen = await app.get(accounts, 'a');
    await other.execute(payIn, { account_id: 'a', cents: 10 });
    // The neighbour is refused for a document that has changed since; what it rests on is in the working set all the same.
    const neighbour = app.execute(link, { link_id: 'l', to: 'a' }, { unchanged: [{ ...seen, version: 0 }] });
    const outcome = app.execute(payOut, { account_id: 'a', cents: 5 });
    await expect(neighbour).rejects.toMatchObject({ code: 'Conflict' });
    expect(await outcome).toMatchObject({ status: 'succeeded' });
    expect((await app.get(accounts, 'a')).state.cents).toBe(6);
    expect((await app.verify()).problems).toEqual([]);
  });

  test('on a document that comes in behind an event of the batch, and has moved, is decided again', async () => {
    const { accounts, payIn, payOut, link, payBack, parts } = banking();
    const store = makeStore();
    await using app = await open({ store, ...parts, limits: UNHURRIED });
    await using other = await open({ store, ...parts, limits: UNHURRIED });
    await app.execute(link, { link_id: 'l', to: 'a' });
    await app.execute(payIn, { account_id: 'a', cents: 1 });
    await app.get(accounts, 'a');
    await other.execute(payIn, { account_id: 'a', cents: 10 });
    const outcomes = await Promise.all([
      app.execute(payOut, { account_id: 'a', cents: 5 }),
      app.execute(payBack, { link_id: 'l' }),
    ]);
    expect(outcomes).toMatchObject([
      { status: 'succeeded' },
      { status: 'succeeded', events: [{ event: { cents: 6 } }] },
    ]);
    expect((await app.status()).counters.conflicts).toBe(1);
  });

  test('on what the document really is stays an error, recorded once', async () => {
    const { accounts, payIn, payOut, link, parts } = banking();
    const store = makeStore();
    const logger = keepingLogger();
    await using app = await open({ store, ...parts, logger, limits: UNHURRIED });
    await app.execute(payIn, { account_id: 'a', cents: 1 });
    const seen = await app.get(accounts, 'a');
    const neighbour = app.execute(link, { link_id: 'l', to: 'a' }, { unchanged: [{ ...seen, version: 0 }] });
    const outcome = app.execute(payOut, { account_id: 'a', cents: 5 });
    await expect(neighbour).rejects.toMatchObject({ code: 'Conflict' });
    expect(await outcome).toMatchObject({ status: 'failed', reason: 'ERROR' });
    expect((await app.status()).counters).toMatchObject({ conflicts: 0, failed: 1 });
  });
});
