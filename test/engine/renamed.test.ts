/** Renamed event types: releases with the old and the new name, one after the other and side by side, on one log. */
import {
  domain,
  event,
  failure,
  InvalidDefinition,
  InvalidEvent,
  open,
  type,
  type EventOf,
  type Store,
} from 'tidemark';
import { given } from 'tidemark/testing';
import { describe, expect, test } from 'vitest';
import { collect, keepingLogger, onLocalStores } from '../support/stores.ts';

type Opening = { account_id: string; owner_ids: string[]; cents: number };
type Payment = { account_id: string; cents: number };
type Refusal = { account_id: string; reason: string };

/** The bank before anything was renamed. */
function before() {
  const bank = domain({
    events: { ACCOUNT_OPENED: type<Opening>(), PAID: type<Payment>(), PAY_FAILED: type<Refusal>() },
  });
  const accounts = bank.collection('accounts', {
    key: 'account_id',
    initial: { cents: 0, refused: 0 },
    reduce: {
      ACCOUNT_OPENED: (account, { cents }) => ({ ...account, cents }),
      PAID: (account, { cents }) => ({ ...account, cents: account.cents - cents }),
      PAY_FAILED: (account) => ({ ...account, refused: account.refused + 1 }),
    },
  });
  const owners = bank.collection('owners', {
    key: { ACCOUNT_OPENED: 'owner_ids' },
    initial: { accounts: 0 },
    reduce: { ACCOUNT_OPENED: (owner) => ({ accounts: owner.accounts + 1 }) },
  });
  const start = bank.command('START', {
    input: type<Opening>(),
    reads: ({ account_id }) => ({ account: accounts.ref(account_id) }),
    decide: ({ account }, input) => (account.exists ? failure('EXISTS') : { type: 'ACCOUNT_OPENED', ...input }),
  });
  const pay = bank.command('PAY', {
    input: type<Payment>(),
    reads: ({ account_id }) => ({ account: accounts.ref(account_id) }),
    decide: ({ account }, input) =>
      account.state.cents < input.cents ? failure('TOO_LITTLE') : { type: 'PAID', ...input },
    failureType: 'PAY_FAILED',
  });
  return { accounts, owners, start, pay, parts: { collections: [accounts, owners], commands: [start, pay] } as const };
}

/** The bank after each type got another name, one of them twice. */
function after() {
  const bank = domain({
    events: {
      ACCOUNT_STARTED: event(type<Opening>(), { formerly: ['ACCOUNT_OPENED', 'ACCOUNT_CREATED'] }),
      MONEY_SENT: event(type<Payment>(), { version: 1, upcast: {}, formerly: ['PAID'] }),
      PAY_REFUSED: event(type<Refusal>(), { formerly: ['PAY_FAILED'] }),
    },
  });
  const accounts = bank.collection('accounts', {
    key: 'account_id',
    initial: { cents: 0, refused: 0 },
    reduce: {
      ACCOUNT_STARTED: (account, { cents }) => ({ ...account, cents }),
      MONEY_SENT: (account, { cents }) => ({ ...account, cents: account.cents - cents }),
      PAY_REFUSED: (account) => ({ ...account, refused: account.refused + 1 }),
    },
  });
  const owners = bank.collection('owners', {
    key: { ACCOUNT_STARTED: 'owner_ids' },
    initial: { accounts: 0 },
    reduce: { ACCOUNT_STARTED: (owner) => ({ accounts: owner.accounts + 1 }) },
  });
  const start = bank.command('START', {
    input: type<Opening>(),
    reads: ({ account_id }) => ({ account: accounts.ref(account_id) }),
    decide: ({ account }, input) => (account.exists ? failure('EXISTS') : { type: 'ACCOUNT_STARTED', ...input }),
  });
  const pay = bank.command('PAY', {
    input: type<Payment>(),
    reads: ({ account_id }) => ({ account: accounts.ref(account_id) }),
    decide: ({ account }, input) =>
      account.state.cents < input.cents ? failure('TOO_LITTLE') : { type: 'MONEY_SENT', ...input },
    failureType: 'PAY_REFUSED',
  });
  return { accounts, owners, start, pay, parts: { collections: [accounts, owners], commands: [start, pay] } as const };
}

const opening: Opening = { account_id: 'a', owner_ids: ['ann', 'bob'], cents: 100 };

/** The types that the log holds, by the names under which they are stored. */
async function storedTypes(store: Store): Promise<string[]> {
  const session = await store.open({ warn: () => undefined });
  try {
    return (await session.types({ limit: 100 })).map((held) => held.type);
  } finally {
    await session.close();
  }
}

const typesOf = async (events: AsyncIterable<{ event: { type: string } }>): Promise<string[]> =>
  (await collect(events)).map((recorded) => recorded.event.type);

onLocalStores('a log of the release before', (makeStore) => {
  test('is read under the new names, and written on under the old ones, side by side with that release', async () => {
    const store = makeStore();
    const old = before();
    const now = after();
    await using one = await open({ store, ...old.parts, logger: keepingLogger() });
    await one.execute(old.start, opening, { id: 'start' });
    await one.execute(old.pay, { account_id: 'a', cents: 30 });
    await one.execute(old.pay, { account_id: 'a', cents: 500 }, { id: 'refused' });
    const { generation } = await one.status();

    const logger = keepingLogger();
    await using other = await open({ store, ...now.parts, logger });
    // For the log nothing has changed: keys and handled types are the same.
    expect(await other.status()).toMatchObject({ generation, unknownTypes: { count: 0 } });
    expect(await other.get(now.accounts, 'a')).toMatchObject({ version: 3, state: { cents: 70, refused: 1 } });
    expect((await other.get(now.owners, 'bob')).state.accounts).toBe(1);

    // Each goes on, and each sees what the other has stored.
    await other.execute(now.start, { ...opening, account_id: 'b' });
    await other.execute(now.pay, { account_id: 'a', cents: 20 });
    await one.execute(old.pay, { account_id: 'b', cents: 1 });
    await other.execute(now.pay, { account_id: 'b', cents: 500 });
    const expected = [
      ['a', { cents: 50, refused: 1 }],
      ['b', { cents: 99, refused: 1 }],
    ] as const;
    for (const [id, state] of expected) {
      expect((await one.get(old.accounts, id)).state).toEqual(state);
      expect((await other.get(now.accounts, id)).state).toEqual(state);
      expect((await one.fold(old.accounts)).get(id)?.state).toEqual(state);
      expect((await other.fold(now.accounts)).get(id)?.state).toEqual(state);
    }
    expect((await one.get(old.owners, 'ann')).state.accounts).toBe(2);

    expect(await typesOf(one.history(old.accounts, 'b'))).toEqual(['ACCOUNT_OPENED', 'PAID', 'PAY_FAILED']);
    expect(await typesOf(other.history(now.accounts, 'a'))).toEqual([
      'ACCOUNT_STARTED',
      'MONEY_SENT',
      'PAY_REFUSED',
      'MONEY_SENT',
    ]);
    expect(await typesOf(other.events({ types: ['MONEY_SENT', 'PAY_REFUSED'] }))).toEqual([
      'MONEY_SENT',
      'PAY_REFUSED',
      'MONEY_SENT',
      'MONEY_SENT',
      'PAY_REFUSED',
    ]);
    const started = await other.outcome('start');
    expect(started?.events.map((recorded) => recorded.event)).toEqual([{ type: 'ACCOUNT_STARTED', ...opening }]);
    // Sent again, to the release that has other names: the same outcome.
    const again = await other.execute(now.pay, { account_id: 'a', cents: 500 }, { id: 'refused' });
    expect(again).toMatchObject({ status: 'failed', reason: 'TOO_LITTLE', replayed: true });
    expect(again.events[0]?.event.type).toBe('PAY_REFUSED');

    for (const app of [one, other]) expect((await app.verify()).problems).toEqual([]);
    expect(await storedTypes(store)).toEqual(['ACCOUNT_OPENED', 'PAID', 'PAY_FAILED']);
    expect(logger.lines).toEqual([]);
  });

  test('law 5: what either release stores is no stale ground for the other', async () => {
    const store = makeStore();
    const old = before();
    const now = after();
    await using one = await open({ store, ...old.parts });
    await using other = await open({ store, ...now.parts });
    await one.execute(old.start, opening);
    await Promise.all([one.get(old.accounts, 'a'), other.get(now.accounts, 'a')]);
    const payment = { account_id: 'a', cents: 30 };
    const outcomes = await Promise.all(
      Array.from({ length: 4 }, () => [one.execute(old.pay, payment), other.execute(now.pay, payment)]).flat(),
    );
    expect(outcomes.filter(({ status }) => status === 'succeeded')).toHaveLength(3);
    expect((await other.get(now.accounts, 'a')).state).toEqual({ cents: 10, refused: 5 });
    expect((await other.verify()).problems).toEqual([]);
  });

  test('followers of a new name hear of what the old release stores', async () => {
    const store = makeStore();
    const old = before();
    const now = after();
    await using one = await open({ store, ...old.parts });
    await using other = await open({ store, ...now.parts });
    const heard = collect(other.events({ follow: true, types: ['MONEY_SENT'], limit: 2 }));
    await one.execute(old.start, opening);
    await one.execute(old.pay, { account_id: 'a', cents: 1 });
    await other.execute(now.pay, { account_id: 'a', cents: 2 });
    expect((await heard).map((recorded) => recorded.event)).toEqual([
      { type: 'MONEY_SENT', account_id: 'a', cents: 1 },
      { type: 'MONEY_SENT', account_id: 'a', cents: 2 },
    ]);
  });
});

/** People who moved; their addresses by some schema, under some name. */
function people<const Name extends string>(
  name: Name,
  schema: unknown,
  find?: (moved: { person_id: string }) => string,
) {
  type Moved = { person_id: string; city: string };
  const registry = domain({ events: { [name]: schema } as never as { MOVED: ReturnType<typeof type<Moved>> } });
  const persons = registry.collection('persons', {
    key: (find ? { [name]: find } : 'person_id') as 'person_id',
    initial: { city: '' },
    reduce: { [name]: (_: unknown, { city }: Moved) => ({ city }) } as never,
  });
  const move = registry.command('MOVE', {
    input: type<EventOf<typeof registry, 'MOVED'>>(),
    decide: (_, { person_id, city }) => ({ type: name, person_id, city }) as never,
  });
  return { persons, move, parts: { collections: [persons], commands: [move] } };
}

onLocalStores('a renamed type', (makeStore) => {
  // The release before stores no documents: where an upcast changes what its reducers made, the definition is to be raised.
  const unreduced = { reduction: 'off' } as const;
  const toParis = { type: 'MOVED', person_id: 'p', city: 'Paris' } as const;

  test('with a new shape as well: upcast, and dropped under its new name', async () => {
    const store = makeStore();
    const old = people('MOVED', type<object>());
    {
      await using app = await open({ store, ...old.parts, ...unreduced });
      for (const city of ['Paris', 'Nowhere']) await app.execute(old.move, { ...toParis, city });
    }
    const upcast = {
      1: (was: { city: string }) => (was.city === 'Nowhere' ? undefined : { ...was, city: `${was.city}!` }),
    };
    const { persons, move, parts } = people(
      'RELOCATED',
      event(type<object>(), { version: 2, upcast, formerly: ['MOVED'] }),
    );
    await using app = await open({ store, ...parts });
    expect(await app.get(persons, 'p')).toMatchObject({ version: 2, changed: 1, state: { city: 'Paris!' } });
    expect((await collect(app.events())).map((recorded) => recorded.event)).toEqual([
      { type: 'RELOCATED', person_id: 'p', city: 'Paris!' },
      { type: '$DROPPED', dropped: 'RELOCATED', fields: { person_id: 'p', city: 'Nowhere' } },
    ]);
    await app.execute(move, { ...toParis, city: 'Lyon' });
    expect((await app.fold(persons)).get('p')).toMatchObject({ version: 3, changed: 3, state: { city: 'Lyon' } });
    expect((await app.verify()).problems).toEqual([]);
  });

  test('whose upcast fails, or changes ids, is named by its new name', async () => {
    const store = makeStore();
    const old = people('MOVED', type<object>());
    {
      await using app = await open({ store, ...old.parts, ...unreduced });
      await app.execute(old.move, toParis);
    }
    const renamed = (upcast: (was: object) => object) =>
      people('RELOCATED', event(type<object>(), { version: 2, upcast: { 1: upcast }, formerly: ['MOVED'] }));
    const failing = renamed(() => {
      throw new Error('no');
    });
    await using app = await open({ store, ...failing.parts });
    await expect(app.get(failing.persons, 'p')).rejects.toMatchObject({
      code: 'UpcastFailed',
      details: { type: 'RELOCATED', from: 1 },
    });
    const moving = renamed((was) => ({ ...was, person_id: 'q' }));
    await expect(open({ store, ...moving.parts })).rejects.toThrow('An upcast must not change ids');
  });

  test('under a key function, which is compared with what was stored under the old name', async () => {
    const store = makeStore();
    const old = people('MOVED', type<object>(), ({ person_id }) => person_id);
    await using before = await open({ store, ...old.parts });
    await before.execute(old.move, toParis);
    const renamed = (find: (moved: { person_id: string }) => string) =>
      people('RELOCATED', event(type<object>(), { formerly: ['MOVED'] }), find);
    const same = renamed((moved) => moved.person_id);
    await using app = await open({ store, ...same.parts });
    await app.execute(same.move, { ...toParis, city: 'Lyon' });
    expect((await before.get(old.persons, 'p')).state.city).toBe('Lyon');
    for (const one of [before, app]) expect((await one.verify()).problems).toEqual([]);
    const changed = renamed((moved) => moved.person_id.toUpperCase());
    await expect(open({ store, ...changed.parts })).rejects.toMatchObject({ code: 'DefinitionChanged' });
  });

  test('is refused where the log holds events under the new name already', async () => {
    const store = makeStore();
    const plain = people('RELOCATED', type<object>());
    {
      await using app = await open({ store, ...plain.parts });
      await app.execute(plain.move, toParis);
    }
    for (const formerly of [['MOVED'], ['FIRST', 'RELOCATED']]) {
      const name = formerly.length > 1 ? 'LAST' : 'RELOCATED';
      const { parts } = people(name, event(type<object>(), { formerly }));
      const refused = open({ store, ...parts });
      await expect(refused).rejects.toBeInstanceOf(InvalidDefinition);
      await expect(refused).rejects.toThrow('The log holds events of the type RELOCATED, the first at position 1');
    }
  });

  test('stored under the new name by code that doesn’t know of the renaming: shown as something else, never reduced', async () => {
    const store = makeStore();
    const { persons, parts } = people('RELOCATED', event(type<object>(), { formerly: ['MOVED'] }));
    await using app = await open({ store, ...parts, logger: keepingLogger() });
    // That one doesn't handle it, so `open` has nothing to refuse.
    const odd = domain({ events: { RELOCATED: type<{ person_id: string }>() } });
    const oddMove = odd.command('ODD_MOVE', {
      input: type<{ person_id: string }>(),
      decide: (_, input) => ({ type: 'RELOCATED', ...input }),
    });
    await using other = await open({ store, collections: [], commands: [oddMove] });
    await other.execute(oddMove, { person_id: 'p' });
    expect(await app.get(persons, 'p')).toMatchObject({ version: 1, changed: 0, exists: false });
    expect((await app.fold(persons)).get('p')?.changed ?? 0).toBe(0);
    expect((await collect(app.events())).map((recorded) => recorded.event)).toEqual([
      { type: '$UNDECLARED', undeclared: 'RELOCATED', fields: { person_id: 'p' } },
    ]);
    expect(await collect(app.events({ types: ['RELOCATED'] }))).toEqual([]);
    expect((await app.status()).unknownTypes).toEqual({ count: 1, names: ['RELOCATED'] });
    expect((await app.verify()).problems).toMatchObject([{ code: 'UnknownType', position: 1 }]);
  });

  test('asked for by its old name gives nothing, and says how it is called', async () => {
    const store = makeStore();
    const { move, parts } = people('RELOCATED', event(type<object>(), { formerly: ['MOVED'] }));
    const logger = keepingLogger();
    await using app = await open({ store, ...parts, logger });
    await app.execute(move, toParis);
    expect(await collect(app.events({ types: ['MOVED'] }))).toEqual([]);
    expect(logger.lines).toMatchObject([
      {
        level: 'warn',
        details: { types: [{ type: 'MOVED', now: 'RELOCATED' }] },
        message: /MOVED is called RELOCATED/,
      },
    ]);
  });
});

describe('rules of renamed types', () => {
  test('events that are given may have the name they are stored under; what is decided has the new one', () => {
    const { accounts, owners, start, pay } = after();
    given([accounts, owners], [{ type: 'ACCOUNT_OPENED', ...opening }])
      .expectDocument(owners, 'bob', { accounts: 1 })
      .when(pay, { account_id: 'a', cents: 1 })
      .expect({ type: 'MONEY_SENT', account_id: 'a', cents: 1 })
      .when(start, { ...opening, account_id: 'b' })
      .expect({ type: 'ACCOUNT_STARTED', ...opening, account_id: 'b' });
    // A name in between was never stored.
    expect(() => given([accounts], [{ type: 'ACCOUNT_CREATED', ...opening }])).toThrow(InvalidEvent);
  });

  const schema = type<{ id: string; reason: string }>();
  test.each<[string, () => unknown, string]>([
    [
      'a type of the domain',
      () => domain({ events: { A: schema, B: event(schema, { formerly: ['A'] as string[] }) } }),
      'A is a former name of B, and an event of the domain itself',
    ],
    [
      'of two types',
      () => domain({ events: { B: event(schema, { formerly: ['A'] }), C: event(schema, { formerly: ['A'] }) } }),
      'A is a former name of B and of C',
    ],
    [
      'the type itself',
      () => domain({ events: { B: event(schema, { formerly: ['A', 'B'] as string[] }) } }),
      'the event B has its own name',
    ],
    ['the system’s', () => event(schema, { formerly: ['$A'] }), 'must not begin with $'],
    ['empty', () => event(schema, { formerly: [''] }), 'must not be empty'],
    ['no text', () => event(schema, { formerly: [7 as never] }), 'must be a string, not number'],
    ['given twice', () => event(schema, { formerly: ['A', 'A'] }), 'has the name A twice'],
    ['none', () => event(schema, { formerly: [] }), 'must be an array of former names'],
    ['no list', () => event(schema, { formerly: 'A' as never }), 'must be an array of former names'],
    ['not of event()', () => domain({ events: { B: { ...schema, formerly: ['A'] } } }), "event() didn't make it"],
    [
      'in a key map',
      () =>
        domain({ events: { B: event(schema, { formerly: ['A'] }) } }).collection('c', {
          key: { A: 'id' } as never,
          initial: {},
          reduce: {},
        }),
      'key names the event type "A"',
    ],
    [
      'in reducers',
      () =>
        domain({ events: { B: event(schema, { formerly: ['A'] }) } }).collection('c', {
          key: 'id',
          initial: {},
          reduce: { A: () => ({}) } as never,
        }),
      'reduce names the event type "A"',
    ],
    [
      'a failure’s by default',
      () =>
        domain({ events: { B: event(schema, { formerly: ['X_FAILED'] }) } }).command('X', {
          input: schema,
          decide: () => failure('NO'),
        }),
      "Write failureType: 'B'",
    ],
    [
      'a failure’s',
      () =>
        domain({ events: { B: event(schema, { formerly: ['A'] }) } }).command('X', {
          input: schema,
          decide: () => failure('NO'),
          failureType: 'A',
        }),
      'which is a former name of the event B',
    ],
    ['no version either', () => event(schema, {} as never), 'unless there is an option formerly'],
  ])('a former name: %s', (_, define, said) => {
    expect(define).toThrow(InvalidDefinition);
    expect(define).toThrow(said);
  });

  test('a copy of what event() made keeps its former names', () => {
    const made = event(schema, { formerly: ['A'] });
    expect(() => domain({ events: { B: { ...made }, C: event(schema, { formerly: ['A'] }) } })).toThrow(
      'of B and of C',
    );
  });
});
