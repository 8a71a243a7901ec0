/** What bad input gets: a named error that says what to do, nothing recorded, nothing lost. */
import {
  AsyncSchema,
  ClockAhead,
  Closed,
  Conflict,
  domain,
  failure,
  InvalidDefinition,
  InvalidInput,
  open,
  Overloaded,
  ReducerFailed,
  TidemarkError,
  type,
  UnknownCollection,
  UnknownCommand,
  type App,
} from 'tidemark';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { buyService, createService, market, parts, services, users, viewService } from '../support/market.ts';
import { collect, keepingLogger, onLocalStores } from '../support/stores.ts';

const view = (extra: object): object => ({ service_id: 's1', ...extra });
const caught = async (doing: Promise<unknown>): Promise<TidemarkError> => {
  const error: unknown = await doing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TidemarkError);
  const named = error as TidemarkError;
  expect(named.name).toBe(named.code);
  expect(JSON.parse(JSON.stringify(named.details))).toEqual(named.details);
  return named;
};

class Custom {
  service_id = 's1';
}
const cycle: Record<string, unknown> = { service_id: 's1' };
cycle['self'] = cycle;

/** What `execute` was given, which is no command: the error's kind, and what it says. */
// eslint-disable-next-line typescript/no-explicit-any -- what the types would refuse is what is tested
type Execute = (command?: any, input?: any, options?: any) => Promise<unknown>;
type Refused = readonly [
  ask: (execute: Execute) => Promise<unknown>,
  kind: new (...args: never[]) => TidemarkError,
  said: string,
];
const REFUSED: readonly Refused[] = [
  [(execute) => execute(undefined), UnknownCommand, 'needs a command'],
  [(execute) => execute({ name: 'BUY_SERVICE' }), UnknownCommand, 'needs a command'],
  [(execute) => execute('BUY_SERVICE'), UnknownCommand, 'needs a command'],
  [(execute) => execute(buyService, undefined), InvalidInput, 'schema'],
  [(execute) => execute(buyService, null), InvalidInput, 'schema'],
  [(execute) => execute(buyService, 'text'), InvalidInput, 'schema'],
  [(execute) => execute(buyService, []), InvalidInput, 'schema'],
  [(execute) => execute(buyService, { service_id: 's1' }), InvalidInput, 'buyer_id'],
  [(execute) => execute(buyService, { service_id: 7, buyer_id: 'b' }), InvalidInput, 'service_id'],
  [(execute) => execute(buyService, { service_id: '', buyer_id: 'b' }), InvalidInput, 'empty'],
  [(execute) => execute(viewService, { service_id: '' }), InvalidInput, 'the id in service_id must not be empty'],
  [(execute) => execute(viewService, { service_id: 'x'.repeat(513) }), InvalidInput, '512 bytes'],
  [(execute) => execute(viewService, { service_id: 'é'.repeat(257) }), InvalidInput, '514'],
  [(execute) => execute(viewService, { service_id: 'a\ud800' }), InvalidInput, 'service_id: a lone surrogate'],
  [(execute) => execute(viewService, { service_id: 'a\0' }), InvalidInput, 'NUL'],
  [(execute) => execute(viewService, view({ at: new Date(0) })), InvalidInput, 'at: an instance of Date'],
  [(execute) => execute(viewService, view({ n: 5n })), InvalidInput, 'n: a bigint'],
  [(execute) => execute(viewService, view({ deep: { n: [1, NaN] } })), InvalidInput, 'deep.n[1]: NaN'],
  [(execute) => execute(viewService, new Custom()), InvalidInput, 'an instance of Custom'],
  [(execute) => execute(viewService, cycle), InvalidInput, 'deeper than'],
  [
    (execute) => execute(viewService, JSON.parse('{"service_id":"s1","__proto__":{"admin":true}}')),
    InvalidInput,
    '__proto__',
  ],
  [(execute) => execute(viewService, view({ long: 'x'.repeat(17 * 1024 * 1024) })), InvalidInput, 'bytes long'],
  [(execute) => execute(viewService, view({}), { id: '' }), InvalidInput, 'option id'],
  [(execute) => execute(viewService, view({}), { id: 7 }), InvalidInput, 'option id'],
  [(execute) => execute(viewService, view({}), { id: 'x'.repeat(513) }), InvalidInput, 'option id'],
  [(execute) => execute(viewService, view({}), { actor: 'a\ud800' }), InvalidInput, 'option actor'],
  [(execute) => execute(viewService, view({}), { correlation: '' }), InvalidInput, 'option correlation'],
  [(execute) => execute(viewService, view({}), { signal: {} }), InvalidInput, 'signal'],
  [(execute) => execute(viewService, view({}), 'id'), InvalidInput, 'options'],
  [(execute) => execute(viewService, view({}), { unchanged: {} }), InvalidInput, 'unchanged'],
  [(execute) => execute(viewService, view({}), { unchanged: [null] }), InvalidInput, 'unchanged'],
  [
    (execute) => execute(viewService, view({}), { unchanged: [{ collection: 'services', id: 's1' }] }),
    InvalidInput,
    'without its version',
  ],
  [
    (execute) => execute(viewService, view({}), { unchanged: [{ collection: 'nope', id: 's1', version: 1 }] }),
    UnknownCollection,
    'nope',
  ],
];

let prepared = 0;
const prepares = market.command('PREPARES', {
  input: type<{ service_id: string }>(),
  prepare: () => (prepared += 1),
  decide: (_, input) => ({ type: 'SERVICE_VIEWED', ...input }),
});

onLocalStores('bad input', (makeStore) => {
  describe('is refused by name before it becomes a command, and nothing is recorded', () => {
    let app: App<(typeof parts.commands)[number], (typeof parts.collections)[number]>;
    beforeAll(async () => {
      app = await open({ store: makeStore(), ...parts });
    });
    afterAll(async () => app.close());
    test.each(REFUSED.map(([ask, kind, said], n) => ({ n: n + 1, kind, said, ask })))(
      '$n: $said',
      async ({ ask, kind, said }) => {
        const error = await caught(ask((command, input, options) => app.execute(command, input, options)));
        expect(error).toBeInstanceOf(kind);
        expect(error).toBeInstanceOf(InvalidInput);
        expect(error.message).toContain(said);
        expect(error.retryable).toBe(false);
        expect((await app.status()).position).toBe(0);
      },
    );
  });

  test('a command or collection that was not given to open', async () => {
    await using app = await open({ store: makeStore(), collections: [services], commands: [buyService] });
    const error = await caught(app.execute(viewService as never, { service_id: 's' } as never));
    expect(error).toBeInstanceOf(UnknownCommand);
    expect(error.message).toContain('add it to commands');
    expect(await caught(app.get(users as never, 'u'))).toBeInstanceOf(UnknownCollection);
    expect(await caught(app.get('services' as never, 'u'))).toBeInstanceOf(UnknownCollection);
    expect(await caught(app.get(services, ''))).toBeInstanceOf(InvalidInput);
    expect(await caught(app.get(services, 7 as never))).toBeInstanceOf(InvalidInput);
    expect(await caught(app.get(services, ['s', '']))).toBeInstanceOf(InvalidInput);
    expect(await caught(app.get(services, 's', { version: 3 }))).toBeInstanceOf(InvalidInput);
    expect(await caught(app.get(services, 's', { version: -1 }))).toBeInstanceOf(InvalidInput);
    expect(await caught(app.get(services, 's', { position: 9 }))).toBeInstanceOf(InvalidInput);
    expect(await caught(app.get(services, 's', { position: 0, time: 0 }))).toBeInstanceOf(InvalidInput);
    expect(await caught(app.get(services, 's', { time: NaN }))).toBeInstanceOf(InvalidInput);
    expect(() => app.events({ limit: -1 })).toThrow(InvalidInput);
    expect(() => app.events({ types: 'X' as never })).toThrow(InvalidInput);
    expect(() => app.history(services, '')).toThrow(InvalidInput);
    expect(await caught(app.outcome(''))).toBeInstanceOf(InvalidInput);
    expect(await caught(app.verify({ expect: { position: 1, hash: 'x' } }))).toBeInstanceOf(InvalidInput);
  });

  test('a collection that a command reads without its being given to open', async () => {
    const reads = market.command(`READS_USERS_${Math.random()}`, {
      input: z.object({ user_id: z.string() }),
      reads: (input) => ({ user: users.ref(input.user_id) }),
      decide: () => failure('NO'),
    });
    await using app = await open({ store: makeStore(), collections: [services], commands: [reads, viewService] });
    const [wrong, fine] = await Promise.allSettled([
      app.execute(reads, { user_id: 'u' }),
      app.execute(viewService, { service_id: 's' }),
    ]);
    expect(wrong).toMatchObject({ status: 'rejected', reason: { code: 'UnknownCollection' } });
    expect(fine.status).toBe('fulfilled');
    expect((await app.status()).position).toBe(1);
  });

  test('a closed application', async () => {
    const app = await open({ store: makeStore(), ...parts });
    const waiting = app.execute(createService, { service_id: 's1' });
    await Promise.all([app.close(), app.close()]);
    // What was accepted before is stored, and answered.
    expect((await waiting).status).toBe('succeeded');
    expect(await caught(app.execute(createService, { service_id: 's2' }))).toBeInstanceOf(Closed);
    expect(await caught(app.get(services, 's1'))).toBeInstanceOf(Closed);
    expect(await caught(app.outcome('c'))).toBeInstanceOf(Closed);
    expect(await caught(app.verify())).toBeInstanceOf(Closed);
    expect(() => app.events()).toThrow(Closed);
    expect(() => app.history(services, 's1')).toThrow(Closed);
    expect((await app.status()).state).toBe('closed');
  });

  test('more commands than the queue holds', async () => {
    await using app = await open({ store: makeStore(), ...parts, limits: { queueCommandsMax: 10 } });
    const results = await Promise.allSettled(
      Array.from({ length: 15 }, (_, n) => app.execute(createService, { service_id: `s${n}` })),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(5);
    expect(refused[0]!.reason).toBeInstanceOf(Overloaded);
    expect(refused[0]!.reason).toMatchObject({ retryable: true });
    expect((await app.status()).position).toBe(10);
  });

  test('a clock far ahead', async () => {
    // By another clock than the store's, as on two machines.
    const store = makeStore({ clock: () => Date.now() });
    let ahead = 3_600_000;
    await using app = await open({ store, ...parts, clock: () => Date.now() + ahead });
    const error = await caught(app.execute(createService, { service_id: 's1' }));
    expect(error).toBeInstanceOf(ClockAhead);
    expect((await app.status()).position).toBe(0);
    ahead = 0;
    expect((await app.execute(createService, { service_id: 's1' })).status).toBe('succeeded');
  });

  const clocks: Record<string, () => unknown> = {
    'that gives no time': () => NaN,
    'that throws': () => {
      throw new Error('boom');
    },
    'that is asynchronous': () => Promise.reject(new Error('boom')),
  };
  test.each(Object.entries(clocks))(
    'a clock %s, with an id and without, given to open or to the store',
    async (_, odd) => {
      const clock = odd as () => number;
      const named = { code: 'InvalidDefinition', message: expect.stringContaining('clock') as string };
      const stores = [
        { store: makeStore(), clock },
        { store: makeStore({ clock }), clock: () => Date.now() },
      ];
      for (const options of stores) {
        await using app = await open({ ...options, ...parts });
        for (const id of ['c1', undefined])
          expect(await caught(app.execute(createService, { service_id: 's1' }, { id }))).toMatchObject(named);
        expect((await app.status()).position).toBe(0);
      }
    },
  );

  test('a document that changed since the caller saw it: Conflict, nothing recorded', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 9 });
    const seen = await app.get(services, 's1');
    await app.execute(viewService, { service_id: 's1' });
    // Merely being attached is no change.
    const input = { service_id: 's1', buyer_id: 'b' };
    expect((await app.execute(buyService, input, { unchanged: [seen] })).status).toBe('succeeded');
    const error = await caught(app.execute(buyService, input, { unchanged: [seen], id: 'late' }));
    expect(error).toBeInstanceOf(Conflict);
    expect(error.details).toMatchObject({ collection: 'services', id: 's1', version: 1, changed: 3 });
    expect(await app.outcome('late')).toBeUndefined();
    // Two in one batch: the first one's success is the second one's conflict.
    const now = await app.get(services, 's1');
    const both = await Promise.allSettled([1, 2].map(() => app.execute(buyService, input, { unchanged: [now] })));
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    // Nothing is read by the command itself.
    expect(await caught(app.execute(viewService, { service_id: 's2' }, { unchanged: [now] }))).toBeInstanceOf(Conflict);
  });

  test('a signal that gives up: before, while waiting, and after', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(app.execute(createService, { service_id: 's1' }, { signal: gone })).rejects.toThrow('gone');
    const controller = new AbortController();
    const waiting = app.execute(createService, { service_id: 's2' }, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    const late = new AbortController();
    expect((await app.execute(createService, { service_id: 's3' }, { signal: late.signal })).status).toBe('succeeded');
    late.abort();
    expect((await collect(app.events())).map(({ event }) => event['service_id'])).toEqual(['s3']);
  });

  test('a signal that can’t be listened to: nothing is begun', async () => {
    const before = prepared;
    await using app = await open({ store: makeStore(), ...parts, commands: [viewService, prepares] });
    const cause = new Error('deaf');
    const signal = signalWith({
      addEventListener: () => {
        throw cause;
      },
    });
    const asked = [
      app.execute(viewService, { service_id: 's1' }, { id: 'c1', signal }),
      app.execute(prepares, { service_id: 's1' }, { id: 'c2', signal }),
      collect(app.events({ signal })),
      collect(app.events({ follow: true, signal })),
      collect(app.history(services, 's1', { follow: true, signal })),
    ];
    for (const one of asked)
      expect(await caught(one)).toMatchObject({ code: 'InvalidInput', details: { path: 'signal' }, cause });
    expect(prepared).toBe(before);
    expect((await app.execute(prepares, { service_id: 's1' }, { id: 'c2' })).position).toBe(1);
  });

  test('a signal that keeps its listeners, or its reason, harms nobody', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    const keeps = signalWith({
      removeEventListener: () => {
        throw new Error('kept');
      },
    });
    const outcome = await app.execute(createService, { service_id: 's1' }, { signal: keeps });
    expect(outcome.status).toBe('succeeded');
    expect(await collect(app.events({ follow: true, limit: 1, signal: keeps }))).toHaveLength(1);

    const heard: (() => void)[] = [];
    const cause = new Error('no reason');
    const silent = signalWith({
      addEventListener: (_: string, listener: () => void) => void heard.push(listener),
      get reason() {
        throw cause;
      },
    });
    const given = app.execute(createService, { service_id: 's2' }, { signal: silent });
    for (const listener of heard) listener();
    await expect(given).rejects.toBe(cause);
  });
});

/** As a polyfill may be, but for something that is wrong with it. */
function signalWith(wrong: object): AbortSignal {
  const right = { aborted: false, addEventListener() {}, removeEventListener() {}, throwIfAborted() {} };
  return Object.defineProperties(right, Object.getOwnPropertyDescriptors(wrong)) as unknown as AbortSignal;
}

/** A schema of nobody's library. */
const schemaThat = (validate: () => never): StandardSchemaV1<{ thing_id: string }> => ({
  '~standard': { version: 1, vendor: 'test', validate },
});

onLocalStores('bugs in the user’s code', (makeStore) => {
  const shop = domain({
    events: {
      MADE: z.object({ thing_id: z.string(), n: z.number() }),
      POISON: type<{ thing_id: string }>(),
      LATE: z.object({ thing_id: z.string().refine(async () => true) }),
      // eslint-disable-next-line typescript/no-explicit-any
      FREE: type<any>(),
    },
  });
  const things = shop.collection('things', {
    key: 'thing_id',
    initial: { n: 0 },
    reduce: {
      MADE: (_, { n }) => ({ n }),
      POISON: () => {
        throw new RangeError('poisoned');
      },
    },
  });
  const input = z.object({ thing_id: z.string() });
  const commands = {
    // eslint-disable-next-line typescript/no-explicit-any
    returns: shop.command('RETURNS', {
      input: type<{ thing_id: string; what: string }>(),
      decide: (_, { thing_id, what }): any => returned[what]!(thing_id),
    }),
    poison: shop.command('POISON_READ', {
      input,
      reads: (i) => ({ thing: things.ref(i.thing_id) }),
      decide: (_, i) => ({ type: 'POISON', ...i }),
    }),
    blind: shop.command('POISON_BLIND', { input, decide: (_, i) => ({ type: 'POISON', ...i }) }),
    read: shop.command('READ', {
      input,
      reads: (i) => ({ thing: things.ref(i.thing_id) }),
      decide: ({ thing }, i) => ({ type: 'MADE', ...i, n: thing.state.n + 1 }),
    }),
    slow: shop.command('SLOW', {
      input: z.object({ thing_id: z.string().refine(async () => true) }),
      decide: () => failure('NO'),
    }),
    throwing: shop.command('THROWING', {
      input: z.object({
        thing_id: z.string().transform((): string => {
          throw new SyntaxError('schema');
        }),
      }),
      decide: () => failure('NO'),
    }),
    rejecting: shop.command('REJECTING', {
      input: schemaThat(() => Promise.reject(new Error('late')) as never),
      decide: () => failure('NO'),
    }),
    bare: shop.command('BARE', {
      input: schemaThat(() => {
        throw new Error('bare');
      }),
      decide: () => failure('NO'),
    }),
    reading: shop.command('READING', {
      input,
      reads: (): { thing: ReturnType<typeof things.ref> } => {
        throw new Error('reads');
      },
      decide: () => failure('NO'),
    }),
    mutating: shop.command('MUTATING', {
      input,
      reads: (i) => ({ thing: things.ref(i.thing_id) }),
      decide: ({ thing }) => {
        (thing.state as { n: number }).n = 7;
        return failure('NO');
      },
    }),
  };
  const returned: Record<string, (thing_id: string) => unknown> = {
    nothing: () => undefined,
    null: () => null,
    'an empty array': () => [],
    'a promise': async () => {
      throw new Error('unhandled?');
    },
    text: () => 'MADE',
    'no type': (thing_id) => ({ thing_id }),
    'an unknown type': (thing_id) => ({ type: 'NO_SUCH', thing_id }),
    'a type of the system': (thing_id) => ({ type: '$ERRORED', thing_id }),
    'a missing field': (thing_id) => ({ type: 'MADE', thing_id }),
    'a date': (thing_id) => ({ type: 'FREE', thing_id, at: new Date(0) }),
    'a field named __proto__': () => ({ type: 'FREE', deep: JSON.parse('{"__proto__":1}') as object }),
    'a number for an id': () => ({ type: 'FREE', thing_id: 7 }),
    'an empty id': () => ({ type: 'MADE', thing_id: '', n: 1 }),
    'an asynchronous schema': (thing_id) => ({ type: 'LATE', thing_id }),
    'an event over the limit': (thing_id) => ({ type: 'FREE', thing_id, text: 'x'.repeat(1024 * 1024) }),
    'too many events': (thing_id) => Array.from({ length: 1001 }, () => ({ type: 'MADE', thing_id, n: 1 })),
    'too many bytes': (thing_id) =>
      Array.from({ length: 17 }, () => ({ type: 'FREE', thing_id, text: 'x'.repeat(1_000_000) })),
    'too many attachments': () => ({ type: 'FREE', thing_id: Array.from({ length: 1001 }, (_, n) => `t${n}`) }),
    'a failure among events': (thing_id) => [{ type: 'MADE', thing_id, n: 1 }, failure('NO')],
    'a class instance': () =>
      new (class {
        type = 'FREE';
      })(),
    'an empty reason': () => failure(''),
  };
  const parts = { collections: [things], commands: Object.values(commands) };

  test.each(Object.keys(returned))(
    'decide returns %s: contained, named, recorded; the same id may be tried again',
    async (what) => {
      const logger = keepingLogger();
      await using app = await open({ store: makeStore(), ...parts, logger });
      const outcome = await app.execute(commands.returns, { thing_id: 't', what }, { id: 'c1' });
      expect(outcome).toMatchObject({
        status: 'failed',
        reason: 'ERROR',
        retryable: true,
        position: 1,
        events: [{ event: { type: '$ERRORED' } }],
      });
      expect(String(outcome.details?.['message']).length).toBeGreaterThan(20);
      expect(logger.lines).toHaveLength(1);
      expect(await collect(app.events())).toHaveLength(1);
    },
  );

  test('an input schema that is asynchronous, or throws', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    expect(await caught(app.execute(commands.slow, { thing_id: 't' }))).toBeInstanceOf(AsyncSchema);
    expect(await caught(app.execute(commands.rejecting, { thing_id: 't' }))).toBeInstanceOf(AsyncSchema);
    expect((await caught(app.execute(commands.throwing, { thing_id: 't' }))).message).toContain(
      'a function in it threw',
    );
    expect((await caught(app.execute(commands.bare, { thing_id: 't' }))).message).toContain('schema threw Error: bare');
    expect((await app.status()).position).toBe(0);
  });

  test('reads that throws, and a decide that writes to a frozen state', async () => {
    await using app = await open({ store: makeStore(), ...parts, logger: keepingLogger() });
    expect(await app.execute(commands.reading, { thing_id: 't' })).toMatchObject({
      reason: 'ERROR',
      details: { name: 'Error', message: 'reads' },
    });
    expect(await app.execute(commands.mutating, { thing_id: 't' })).toMatchObject({
      reason: 'ERROR',
      details: { name: 'TypeError' },
    });
  });

  test('an event that a document it rests on cannot take in is not stored', async () => {
    await using app = await open({ store: makeStore(), ...parts, logger: keepingLogger() });
    await app.execute(commands.read, { thing_id: 't' });
    expect(await app.execute(commands.poison, { thing_id: 't' })).toMatchObject({
      reason: 'ERROR',
      details: { name: 'ReducerFailed' },
    });
    expect((await app.get(things, 't')).state.n).toBe(1);
    expect((await app.execute(commands.read, { thing_id: 't' })).status).toBe('succeeded');
  });

  test('lesson 14: a reducer that throws while folding: the document is named, its neighbours are none the worse', async () => {
    const logger = keepingLogger();
    const store = makeStore();
    await using app = await open({ store, ...parts, logger });
    await app.execute(commands.read, { thing_id: 't' });
    // Nobody read the document, so nobody could know.
    expect((await app.execute(commands.blind, { thing_id: 't' })).status).toBe('succeeded');
    await using other = await open({ store, ...parts, logger });
    for (const server of [app, other]) {
      const error = await caught(server.get(things, 't'));
      expect(error).toBeInstanceOf(ReducerFailed);
      expect(error.details).toMatchObject({ collection: 'things', id: 't', version: 2, type: 'POISON' });
      const outcomes = await Promise.all(['t', 'fine'].map((thing_id) => server.execute(commands.read, { thing_id })));
      expect(outcomes).toMatchObject([
        { reason: 'ERROR', details: { name: 'ReducerFailed' } },
        { status: 'succeeded' },
      ]);
      expect((await server.get(things, 't', { version: 1 })).state.n).toBe(1);
    }
    expect((await app.verify()).problems).toMatchObject([{ code: 'Document', collection: 'things', id: 't' }]);
  });

  test('a failure that cannot be stored becomes $FAILED, with command and reason', async () => {
    const store = makeStore();
    const failing = domain({
      events: { A: type<{ a_id: string }>(), STRICT_FAILED: z.object({ reason: z.enum(['KNOWN']), a_id: z.string() }) },
    });
    const as = failing.collection('as', { key: 'a_id', initial: {}, reduce: { STRICT_FAILED: (a) => a } });
    const large = failing.command('LARGE', {
      input: type<{ a_id: string }>(),
      decide: () => failure('LARGE', { text: 'x'.repeat(20_000) }),
    });
    const strict = failing.command('STRICT', {
      input: type<{ other: string }>(),
      decide: () => failure('KNOWN'),
      failureType: 'STRICT_FAILED',
    });
    const about = failing.command('ABOUT', {
      input: type<{ a_id: string }>(),
      decide: () => failure('WHY'),
      about: () => {
        throw new Error('about');
      },
    });
    const logger = keepingLogger();
    await using app = await open({ store, collections: [as], commands: [large, strict, about], logger });
    for (const [command, given, reason] of [
      [large, { a_id: 'a' }, 'LARGE'],
      [strict, { other: 'x' }, 'KNOWN'],
      [about, { a_id: 'a' }, 'WHY'],
    ] as const) {
      const outcome = await app.execute(command, given as never);
      expect(outcome).toMatchObject({ status: 'failed', reason, retryable: false, details: {} });
      expect(outcome.events).toMatchObject([
        { event: { type: '$FAILED', command: command.name, reason }, attachments: [] },
      ]);
    }
    expect(logger.lines).toHaveLength(3);
  });
});

test.each([
  ['nothing', undefined],
  ['no store', { collections: [services], commands: [] }],
  ['collections that are no array', { store: 'x', collections: services }],
])('lesson 16: open without what it needs, a store first of all: %s', async (_, options) => {
  expect(await caught((async () => open(options as never))())).toBeInstanceOf(InvalidDefinition);
});

onLocalStores('open', (makeStore) => {
  test('refuses what does not fit together', async () => {
    const other = domain({ events: { A: type<{ a_id: string }>() } });
    const as = other.collection('as', { key: 'a_id', initial: {}, reduce: {} });
    const store = makeStore();
    const wrong = [
      { store, collections: [services, services], commands: [] },
      { store, collections: [services, as], commands: [] },
      { store, collections: [], commands: [] },
      { store, collections: [{}], commands: [] },
      { store, collections: [services], commands: [{}] },
      { store, collections: [services], commands: [], clock: 5 },
      { store, collections: [services], commands: [], logger: {} },
      { store, collections: [services], commands: [], limits: { queue: 5 } },
      { store, collections: [services], commands: [], limits: { triesMax: 0 } },
    ];
    for (const options of wrong)
      expect(await caught((async () => open(options as never))())).toBeInstanceOf(InvalidDefinition);
  });
});
