/** A refusal must not be taken for a fact: the type that a failure is stored as (lesson 32). */
import { domain, failure, open, type } from 'tidemark';
import * as z from 'zod';
import { expect, test } from 'vitest';
import { keepingLogger, onEveryStore } from '../support/stores.ts';

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

onEveryStore('a failure stored as a declared event', (makeStore) => {
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
