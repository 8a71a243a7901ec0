/** A refusal must not be taken for a fact: the type that a failure is stored as (lesson 32). */
import { domain, event, failure, open, type } from 'tidemark';
import * as z from 'zod';
import { expect, test } from 'vitest';
import { collect, keepingLogger, onLocalStores } from '../support/stores.ts';

const failing = { input: type<{ bill_id: string }>(), decide: () => failure('NO_SUCH_BILL', { owed: 5 }) };

test('lesson 32: a default name that meets a declared event is refused where the command is defined', () => {
  const billing = domain({ events: { PAYMENT_FAILED: type<{ bill_id: string }>() } });
  // @ts-expect-error the compiler says so too
  const define = (): unknown => billing.command('PAYMENT', failing);
  expect(define).toThrow(
    expect.objectContaining({
      code: 'InvalidDefinition',
      message: expect.stringContaining("failureType: 'PAYMENT_FAILED'") as string,
    }),
  );
  expect(() => billing.command('PAYMENT', { ...failing, failureType: 'PAYMENT_REFUSED' })).not.toThrow();
});

test('a reducer that could never run is refused where the collection is defined', () => {
  const shop = domain({ events: { ORDERED: type<{ order_id: string }>(), CANCELLED: type<{ order_id: string }>() } });
  const define = (): unknown =>
    shop.collection('orders', {
      key: { ORDERED: 'order_id' },
      initial: {},
      // @ts-expect-error the compiler says so too
      reduce: { ORDERED: (order: object) => order, CANCELLED: (order: object) => order },
    });
  expect(define).toThrow(
    expect.objectContaining({ code: 'InvalidDefinition', message: expect.stringContaining('CANCELLED') as string }),
  );
});

/** Bills, whose release has some events more. */
function release(events: object) {
  const billing = domain({ events: { OPENED: type<{ bill_id: string }>(), ...events } as never });
  const handles = Object.keys({ OPENED: 0, ...events });
  const bills = billing.collection('bills', {
    key: 'bill_id' as never,
    initial: {},
    reduce: Object.fromEntries(handles.map((name) => [name, (bill: object) => bill])) as never,
  });
  return { billing, bills };
}

onLocalStores('a failure stored as a declared event', (makeStore) => {
  test('has its reason, and is folded', async () => {
    const billing = domain({
      events: { OPENED: type<{ bill_id: string }>(), REFUSED: z.object({ bill_id: z.string(), reason: z.string() }) },
    });
    const bills = billing.collection('bills', {
      key: 'bill_id',
      initial: { refused: '' },
      reduce: { REFUSED: (_, { reason }) => ({ refused: reason }) },
    });
    const pay = billing.command('PAY', { ...failing, failureType: 'REFUSED' });
    await using app = await open({ store: makeStore(), collections: [bills], commands: [pay] });
    expect(await app.execute(pay, { bill_id: 'b' })).toMatchObject({ status: 'failed', reason: 'NO_SUCH_BILL' });
    expect((await app.get(bills, 'b')).state).toEqual({ refused: 'NO_SUCH_BILL' });
  });

  test('whose schema drops the reason is stored as $FAILED instead, and the log is told', async () => {
    const billing = domain({ events: { PAID: z.object({ bill_id: z.string() }) } });
    const bills = billing.collection('bills', { key: 'bill_id', initial: {}, reduce: { PAID: (bill) => bill } });
    // @ts-expect-error the compiler says so too
    const pay = billing.command('PAY', { ...failing, failureType: 'PAID' });
    const logger = keepingLogger();
    await using app = await open({ store: makeStore(), collections: [bills], commands: [pay as never], logger });
    const outcome = await app.execute(pay as never, { bill_id: 'b' } as never);
    expect(outcome).toMatchObject({
      status: 'failed',
      reason: 'NO_SUCH_BILL',
      events: [{ event: { type: '$FAILED', command: 'PAY', reason: 'NO_SUCH_BILL' }, attachments: [] }],
    });
    expect((await app.get(bills, 'b')).exists).toBe(false);
    expect(logger.lines).toMatchObject([{ level: 'error', details: { err: { code: 'InvalidDefinition' } } }]);
  });

  test('is no fact to a newer release that has an event of that name, while the older one runs on', async () => {
    const store = makeStore();
    const older = release({});
    const pay = older.billing.command('PAYMENT', failing as never);
    const logger = keepingLogger();
    await using old = await open({ store, collections: [older.bills], commands: [pay as never], logger });
    const { bills } = release({ PAYMENT_FAILED: type<{ bill_id: string }>() });
    await using newer = await open({ store, collections: [bills], commands: [] });
    expect(await old.execute(pay as never, { bill_id: 'b' } as never)).toMatchObject({
      status: 'failed',
      reason: 'NO_SUCH_BILL',
      details: { owed: 5 },
      events: [{ event: { type: '$FAILED', command: 'PAYMENT', reason: 'NO_SUCH_BILL' }, attachments: [] }],
    });
    expect((await newer.get(bills, 'b')).exists).toBe(false);
    expect(logger.lines.filter(({ level }) => level === 'error')).toMatchObject([
      { details: { err: { code: 'InvalidDefinition' } } },
    ]);
  });
});

/** Bills with a command whose refusals are stored as PAYMENT_FAILED, and are no event of the domain. */
function first() {
  const billing = domain({ events: { OPENED: type<{ bill_id: string }>() } });
  const bills = billing.collection('bills', {
    key: 'bill_id',
    initial: { opened: 0 },
    reduce: { OPENED: ({ opened }) => ({ opened: opened + 1 }) },
  });
  const pay = billing.command('PAYMENT', failing);
  return { bills, pay, parts: { collections: [bills], commands: [pay] } };
}

const declaring: [string, unknown][] = [
  ['by its fields', z.object({ bill_id: z.string(), bank: z.string() })],
  [
    'with versions',
    event(z.object({ bill_id: z.string(), bank: z.string() }), {
      version: 2,
      upcast: { 1: () => expect.unreachable('no schema has seen it: it is of no version') },
    }),
  ],
  ['by no schema that refuses anything', type<{ bill_id: string; bank: string }>()],
];

onLocalStores('a refusal whose type a later release declares as an event', (makeStore) => {
  test.each(declaring)('is none of that type to anybody: declared %s', async (_, schema) => {
    const store = makeStore();
    const older = first();
    await using old = await open({ store, ...older.parts });
    const refusal = await old.execute(older.pay, { bill_id: 'b' }, { id: 'c1' });
    expect(refusal.events[0]!.event).toEqual({
      type: 'PAYMENT_FAILED',
      bill_id: 'b',
      reason: 'NO_SUCH_BILL',
      details: { owed: 5 },
    });

    const newer = domain({
      events: {
        OPENED: type<{ bill_id: string }>(),
        PAYMENT_FAILED: schema as ReturnType<typeof type<{ bill_id: string; bank: string }>>,
      },
    });
    const bills = newer.collection('bills', {
      key: 'bill_id',
      initial: { opened: 0 },
      reduce: { OPENED: ({ opened }) => ({ opened: opened + 1 }) },
    });
    const fail = newer.command('FAIL', {
      input: type<{ bill_id: string }>(),
      decide: (__, { bill_id }) => ({ type: 'PAYMENT_FAILED', bill_id, bank: 'x' }),
    });
    await using app = await open({ store, collections: [bills], commands: [fail] });
    await app.execute(fail, { bill_id: 'b' });
    // The first release runs on, and stores more of them.
    await old.execute(older.pay, { bill_id: 'b' }, { id: 'c2' });

    const facts = async (options: object): Promise<unknown> =>
      (await collect(app.events({ types: ['PAYMENT_FAILED'], ...options }))).map(({ position }) => position);
    expect(await facts({})).toEqual([2]);
    expect(await facts({ reverse: true, limit: 1 })).toEqual([2]);
    expect(await facts({ follow: true, limit: 1 })).toEqual([2]);
    const undeclared = {
      type: '$UNDECLARED',
      undeclared: 'PAYMENT_FAILED',
      fields: { bill_id: 'b', reason: 'NO_SUCH_BILL', details: { owed: 5 } },
    };
    const fact = { type: 'PAYMENT_FAILED', bill_id: 'b', bank: 'x' };
    expect((await collect(app.history(bills, 'b'))).map((one) => one.event)).toEqual([undeclared, fact, undeclared]);
    expect(await app.get(bills, 'b')).toMatchObject({ version: 3, exists: false, state: { opened: 0 } });
    expect((await app.fold(bills)).get('b')).toMatchObject({ version: 3, changed: 0 });
    expect((await app.verify()).problems).toEqual([]);
    expect((await old.verify()).problems).toMatchObject([{ code: 'UnknownType', position: 2 }]);
    // What the command came to is what it came to.
    expect(await app.outcome('c1')).toMatchObject({
      status: 'failed',
      reason: 'NO_SUCH_BILL',
      details: { owed: 5 },
      events: [{ event: undeclared }],
    });
    // To the release that doesn't declare it, it is what it was.
    expect((await old.outcome('c1'))!.events).toEqual(refusal.events);
  });
});
