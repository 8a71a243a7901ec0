/** Law 1 across releases: what an earlier one has executed is answered, also where this one would refuse the input. */
import { setImmediate } from 'node:timers/promises';
import { domain, open, type, type Store } from 'tidemark';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { changedStore } from '../faults/over-session.ts';
import { keepingLogger, onLocalStores } from '../support/stores.ts';

interface Input {
  readonly bill_id: string;
  readonly account?: string;
}

interface Code {
  readonly schema?: unknown;
  /** Whether the bill of the new field `account` is read. */
  readonly reads?: boolean;
  readonly prepare?: () => Promise<void>;
  readonly broken?: boolean;
}

/** Bills that are paid, by some release's input. */
function release({ schema = type<Input>(), reads = false, prepare, broken = false }: Code = {}) {
  const billing = domain({ events: { PAID: type<Input>() } });
  const bills = billing.collection('bills', {
    key: 'bill_id',
    initial: { paid: 0 },
    reduce: { PAID: ({ paid }) => ({ paid: paid + 1 }) },
  });
  const pay = billing.command('PAY', {
    input: schema as ReturnType<typeof type<Input>>,
    ...(prepare && { prepare }),
    reads: ({ account }) => (reads ? { account: bills.ref(account!) } : {}),
    decide: (_, { bill_id }) => {
      if (broken) throw new Error('broken');
      return { type: 'PAID', bill_id };
    },
  });
  return { bills, pay, parts: { collections: [bills], commands: [pay], logger: keepingLogger() } };
}

const checkedBy = (validate: (value: unknown) => object) => ({ '~standard': { ...type()['~standard'], validate } });

const input = { bill_id: 'b' };
const stricter = z.object({ bill_id: z.string(), account: z.string() });
const refused = expect.objectContaining({ code: 'InvalidInput' }) as Error;

onLocalStores('sent again to a release that refuses the input', (makeStore) => {
  async function executed(store: Store, code: Code = {}, given: object = input): Promise<object> {
    const { pay, parts } = release(code);
    await using app = await open({ store, ...parts });
    return app.execute(pay, given as Input, { id: 'pay' });
  }

  test.each<[string, Code, object?]>([
    ['its schema is stricter', { schema: stricter }],
    ['its reads want a new field', { reads: true }],
    ['its schema is stricter, and it has a prepare', { schema: stricter, prepare: async () => expect.unreachable() }],
    [
      'its schema leaves an id as it is, which the earlier one made a text',
      {},
      { schema: z.object({ bill_id: z.coerce.string() }) },
    ],
    [
      'its schema throws',
      {
        schema: checkedBy(() => {
          throw new Error('no');
        }),
      },
    ],
  ])('it is answered from the ledger: %s', async (_, code, before = {}) => {
    const store = makeStore();
    const given = 'schema' in before ? { bill_id: 7 } : input;
    const first = await executed(store, before, given);
    const { bills, pay, parts } = release(code);
    await using app = await open({ store, ...parts });
    expect(await app.execute(pay, given as Input, { id: 'pay' })).toEqual({ ...first, replayed: true });
    expect((await app.status()).counters).toMatchObject({ commands: 1, replayed: 1 });
    // Not under another id, nor without one.
    await expect(app.execute(pay, given as Input, { id: 'other' })).rejects.toThrow(refused);
    await expect(app.execute(pay, given as Input)).rejects.toThrow(refused);
    // Nor for another input or actor under that id.
    const reused = { code: 'CommandIdReused', details: { id: 'pay', command: 'PAY', usedBy: 'PAY' } };
    await expect(app.execute(pay, { ...given, more: 1 } as never, { id: 'pay' })).rejects.toMatchObject(reused);
    await expect(app.execute(pay, given as Input, { id: 'pay', actor: 'eve' })).rejects.toMatchObject(reused);
    expect((await app.get(bills, String(given.bill_id))).state).toEqual({ paid: 1 });
    expect((await app.status()).position).toBe(1);
  });

  test('also where only the limit of inputs was lowered', async () => {
    const store = makeStore();
    const long = { bill_id: 'b', account: 'x'.repeat(2_000) };
    const first = await executed(store, {}, long);
    const { pay, parts } = release();
    await using app = await open({ store, ...parts, limits: { inputBytesMax: 1_024 } });
    expect(await app.execute(pay, long, { id: 'pay' })).toEqual({ ...first, replayed: true });
    await expect(app.execute(pay, long, { id: 'other' })).rejects.toThrow(refused);
  });

  test('what failed for technical reasons has no final outcome: it is refused', async () => {
    const store = makeStore();
    const failed = { status: 'failed', reason: 'ERROR', retryable: true };
    expect(await executed(store, { broken: true })).toMatchObject(failed);
    const newer = release({ schema: stricter });
    await using app = await open({ store, ...newer.parts });
    await expect(app.execute(newer.pay, input, { id: 'pay' })).rejects.toThrow(refused);
    expect(await app.outcome('pay')).toMatchObject(failed);
  });

  test('the ledger is asked for ids that were given alone, and a store that is away is told', async () => {
    let asked = 0;
    const store = changedStore(makeStore(), (session) => ({
      ledger: async (ids) => {
        asked += 1;
        if (ids.includes('away')) throw Object.assign(new Error('away'), { code: 'away' });
        return session.ledger(ids);
      },
    }));
    for (const code of [{ schema: stricter }, { reads: true }]) {
      asked = 0;
      const { pay, parts } = release(code);
      await using app = await open({ store, ...parts });
      await expect(app.execute(pay, input)).rejects.toThrow(refused);
      expect(asked).toBe(0);
      await expect(app.execute(pay, input, { id: 'pay' })).rejects.toThrow(refused);
      expect(asked).toBe(1);
      await expect(app.execute(pay, input, { id: 'away' })).rejects.toThrow('away');
    }
  });

  test('one on its way is waited for: by a schema that looks at the time, by one of another application', async () => {
    const store = makeStore();
    let late = false;
    const checking = checkedBy((value) => (late ? { issues: [{ message: 'too late' }] } : { value }));
    const { pay, parts } = release({ schema: checking });
    await using app = await open({ store, ...parts });
    const first = app.execute(pay, input, { id: 'pay' });
    late = true;
    expect(await app.execute(pay, input, { id: 'pay' })).toEqual({ ...(await first), replayed: true });

    const prepared = Promise.withResolvers<void>();
    const older = release({ prepare: () => prepared.promise });
    await using old = await open({ store, ...older.parts });
    const one = old.execute(older.pay, input, { id: 'slow' });
    const other = app.execute(pay, input, { id: 'slow' });
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    prepared.resolve();
    expect(await other).toEqual({ ...(await one), replayed: true });
  });

  test.each<[string, 'before' | 'after', string]>([
    ['it is refused if the ledger was read before', 'before', 'InvalidInput'],
    ['the id is another’s if it was read after', 'after', 'CommandIdReused'],
  ])('one that is refused is in nobody’s way: another is executed under its id, and %s', async (_, when, code) => {
    const [asked, executed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const store = changedStore(makeStore(), (session) => ({
      ledger: async (ids) => {
        const found = when === 'before' ? await session.ledger(ids) : undefined;
        asked.resolve();
        await executed.promise;
        return found ?? session.ledger(ids);
      },
    }));
    const { pay, parts } = release({ schema: stricter });
    await using app = await open({ store, ...parts });
    const one = app.execute(pay, input as never, { id: 'pay' });
    await asked.promise;
    const full = { bill_id: 'b', account: 'a' };
    expect(await app.execute(pay, full, { id: 'pay' })).toMatchObject({ status: 'succeeded', replayed: false });
    executed.resolve();
    await expect(one).rejects.toMatchObject({ code });
  });

  test('one that is refused comes to nothing when the one it waits for does', async () => {
    const store = makeStore();
    const { pay, parts } = release({ schema: stricter });
    await using app = await open({ store, ...parts });
    const prepared = Promise.withResolvers<void>();
    const older = release({ prepare: () => prepared.promise });
    await using old = await open({ store, ...older.parts });
    const giveUp = new AbortController();
    const one = old.execute(older.pay, input, { id: 'slow', signal: giveUp.signal });
    const other = app.execute(pay, input as never, { id: 'slow' });
    giveUp.abort(new Error('enough'));
    await expect(one).rejects.toThrow('enough');
    prepared.resolve();
    await expect(other).rejects.toThrow(refused);
    expect(await app.outcome('slow')).toBeUndefined();
  });
});
