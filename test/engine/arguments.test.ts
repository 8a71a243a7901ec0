/**
 * What a caller passes is copied before anything is waited for, and each option is read once (lesson 27): every argument of
 * every public method is changed right after the call, and answers otherwise when it is asked a second time.
 */
import { isDeepStrictEqual } from 'node:util';
import * as tidemark from 'tidemark';
import { domain, failure, nothing, open, type, type App, type RecordedEvent, type Store } from 'tidemark';
import * as tidemarkMemory from 'tidemark/memory';
import * as tidemarkPostgres from 'tidemark/postgres';
import * as tidemarkSqlite from 'tidemark/sqlite';
import * as tidemarkStore from 'tidemark/store';
import * as tidemarkTesting from 'tidemark/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { collectionDefinition } from '../../src/model/collection.ts';
import type { Session } from '../../src/store/store.ts';
import { buyService, createService, market, parts, services, viewService } from '../support/market.ts';
import { collect, keepingLogger, onLocalStores } from '../support/stores.ts';

// eslint-disable-next-line typescript/no-explicit-any -- called with whatever stands in the table
type Any = any;

interface World {
  readonly app: App;
  /** A point of the log, and a document as it was read, as objects of the caller's own. */
  readonly point: { position: number; hash: string };
  readonly seen: { collection: string; id: string; version: number };
}

interface Method {
  /** Made anew for each call. */
  readonly args: (world: World) => unknown[];
  /** Calls, and gives what tells later what came of it. */
  readonly call: (world: World, ...args: Any[]) => () => unknown;
}

const later =
  (value: unknown): (() => unknown) =>
  () =>
    value;
const events = (found: AsyncIterable<RecordedEvent>): (() => Promise<unknown>) => {
  const reading = collect(found);
  reading.catch(() => undefined);
  return async () => (await reading).map(({ event, position, command }) => [position, event, command]);
};
const documents = (found: AsyncIterable<unknown>): (() => Promise<unknown>) => {
  const reading = collect(found);
  reading.catch(() => undefined);
  return () => reading;
};
const firstOf = (watched: AsyncIterableIterator<unknown>): (() => Promise<unknown>) => {
  const first = watched.next();
  first.catch(() => undefined);
  return async () => {
    const { value } = await first;
    await watched.return?.();
    return value;
  };
};
/** What an outcome says, without what is another in each world. */
const outcome = (executing: Promise<Any>) => async (): Promise<unknown> => {
  const { status, reason, details, position, events: made } = await executing;
  return { status, reason, details, position, events: made.map(({ event }: RecordedEvent) => event) };
};

const bank = (): Any => domain({ events: { PAID: type<{ account_id: string; cents: number }>() } });
const paid = { type: 'PAID', account_id: 'a', cents: 5 };
/** What a definition does, once its arguments have been changed. */
async function used(collections: Any[], command: Any): Promise<unknown> {
  await using app = await open({ store: tidemarkMemory.memory(), collections, commands: [command] });
  const executed = await outcome(app.execute(command, { account_id: 'a', cents: 5 }, { id: 'c' }))();
  return { executed, document: collections[0] && (await app.get(collections[0], 'a')).state };
}
const pay = (of: Any, options: object = {}): Any =>
  of.command('PAY', { input: type(), decide: (_: unknown, input: object) => ({ type: 'PAID', ...input }), ...options });
const accounts = (of: Any, options: object = {}): Any =>
  of.collection('accounts', {
    key: 'account_id',
    initial: { cents: 0 },
    reduce: { PAID: (_: unknown, { cents }: { cents: number }) => ({ cents }) },
    ...options,
  });

const takesNothing = 'takes nothing that could be changed';
const atOnce = 'answers at once, and keeps nothing';
const methods: Readonly<Record<string, string | readonly Method[]>> = {
  'App.execute': [
    {
      args: ({ seen }) => [
        buyService,
        { service_id: 'b', buyer_id: 'eve' },
        { id: 'c1', actor: 'eve', correlation: 'x', causation: 'y', unchanged: [seen] },
      ],
      call: ({ app }, ...args) => outcome((app.execute as Any)(...args)),
    },
    {
      args: () => [charge, { service_id: 'b', lines: [{ cents: 5 }] }, { id: 'c2', actor: 'eve' }],
      call: ({ app }, ...args) => outcome((app.execute as Any)(...args)),
    },
  ],
  'App.get': [
    { args: () => [services, ['a', 'b']], call: ({ app }, ...args) => later((app.get as Any)(...args)) },
    {
      args: () => [services, ['a', 'b'], { position: 2 }],
      call: ({ app }, ...args) => later((app.get as Any)(...args)),
    },
    { args: () => [services, 'a', { version: 1 }], call: ({ app }, ...args) => later((app.get as Any)(...args)) },
    { args: () => [services, 'a', { time: 1_000 }], call: ({ app }, ...args) => later((app.get as Any)(...args)) },
  ],
  'App.fold': [
    {
      args: () => [[...parts.collections]],
      call: ({ app }, ...args) => later((app.fold as Any)(...args)),
    },
  ],
  'App.history': [
    {
      args: ({ point }) => [services, 'a', { after: point }],
      call: ({ app }, ...args) => events((app.history as Any)(...args)),
    },
    {
      args: () => [services, 'a', { after: 1, limit: 1, follow: true }],
      call: ({ app }, ...args) => events((app.history as Any)(...args)),
    },
  ],
  'App.events': [
    {
      args: ({ point }) => [{ after: point, limit: 1 }],
      call: ({ app }, ...args) => events((app.events as Any)(...args)),
    },
    {
      args: () => [{ after: 1, before: 6, types: ['SERVICE_BOUGHT', 'SERVICE_CREATED'], limit: 2, reverse: true }],
      call: ({ app }, ...args) => events((app.events as Any)(...args)),
    },
    {
      args: () => [{ after: 1, follow: true, types: ['SERVICE_BOUGHT'], limit: 1 }],
      call: ({ app }, ...args) => events((app.events as Any)(...args)),
    },
  ],
  'App.find': [
    {
      args: () => [
        services,
        {
          where: { quantity: { in: [0, 1, 3] }, OR: [{ seller: { startsWith: 'a' } }, { NOT: { price: 5 } }] },
          orderBy: [{ quantity: 'desc' }, { $id: 'asc' }],
          limit: 1,
          fresh: true,
        },
      ],
      call: ({ app }, ...args) => later((app.find as Any)(...args)),
    },
    {
      args: () => [services, { where: { $id: { gte: 'b' } }, fresh: 4 }],
      call: ({ app }, ...args) => later((app.find as Any)(...args)),
    },
  ],
  'App.count': [
    {
      args: () => [services, { where: { quantity: { gt: 0 } }, fresh: 4 }],
      call: ({ app }, ...args) => later((app.count as Any)(...args)),
    },
  ],
  'App.list': [
    {
      args: () => [services, { where: { AND: [{ quantity: { gte: 0 } }] }, fresh: 4 }],
      call: ({ app }, ...args) => documents((app.list as Any)(...args)),
    },
  ],
  'App.watch': [
    {
      args: () => [services, { where: { quantity: { lt: 5 } }, orderBy: [{ $id: 'desc' }], limit: 1 }, {}],
      call: ({ app }, ...args) => firstOf((app.watch as Any)(...args)),
    },
    { args: () => [services, 'a', {}], call: ({ app }, ...args) => firstOf((app.watch as Any)(...args)) },
  ],
  'App.begin': 'is called by open, before anybody has the application',
  'App.outcome': takesNothing,
  'App.rebuild': [
    {
      args: () => [services, { dryRun: true }],
      call: ({ app }, ...args) => {
        const rebuilding = (app.rebuild as Any)(...args);
        return async () => (await rebuilding).swapped;
      },
    },
  ],
  'App.verify': [
    {
      args: ({ point }) => [{ expect: point }],
      call: ({ app }, ...args) => {
        const verifying = (app.verify as Any)(...args);
        return async () => (await verifying).problems;
      },
    },
  ],
  'App.status': takesNothing,
  'App.close': takesNothing,
  'App.Symbol(Symbol.asyncDispose)': takesNothing,

  'tidemark.open': [
    {
      args: () => [
        {
          store: tidemarkMemory.memory(),
          collections: [services],
          commands: [createService],
          limits: { eventBytesMax: 200, commitEventsMax: 2 },
          clock: () => 5,
          definitions: 'before',
          retired: [{ collection: 'gone', definition: 1 }, 'lost'],
          reduction: 'off',
        },
      ],
      call: (_, ...args) => {
        const opening = (open as Any)(...args);
        return async () => {
          await using app = await opening;
          const created = await outcome(app.execute(createService, { service_id: 'x' }, { id: 'c' }))();
          return [created, await outcome(app.execute(createService, { service_id: 'x'.repeat(200) }, { id: 'd' }))()];
        };
      },
    },
  ],
  'tidemark.domain': [
    {
      args: () => [{ events: { PAID: type() } }],
      call: (_, ...args) => {
        const made = (domain as Any)(...args);
        return () => used([accounts(made)], pay(made));
      },
    },
  ],
  'tidemark.event': [
    {
      args: () => [type(), { version: 2, upcast: { 1: (old: object) => old }, formerly: ['OLD', 'OLDER'] }],
      call: (_, ...args) => {
        const { version, upcast, formerly } = (tidemark.event as Any)(...args);
        return () => [version, Object.keys(upcast), formerly];
      },
    },
  ],
  'tidemark.type': takesNothing,
  'tidemark.failure': [
    {
      args: () => ['NO', { why: ['because'] }],
      call: (_, ...args) => {
        const no = (failure as Any)(...args);
        return () => used([], pay(bank(), { decide: () => no }));
      },
    },
  ],
  'tidemark.nothing': [
    {
      args: () => [{ record: false }],
      call: (_, ...args) => {
        const idle = (nothing as Any)(...args);
        return () => used([], pay(bank(), { decide: () => idle }));
      },
    },
  ],
  'tidemark.all': [
    {
      args: () => [[services.ref('a'), services.ref('b')]],
      call: (_, ...args) => {
        const reading = (tidemark.all as Any)(...args);
        return () => reading.next().value.map(({ id }: { id: string }) => id);
      },
    },
  ],
  'Domain.collection': [
    {
      args: () => [
        'accounts',
        {
          key: { PAID: ['account_id'] },
          initial: { cents: 0, owners: ['ann'] },
          reduce: { PAID: (account: object, { cents }: { cents: number }) => ({ ...account, cents }) },
          definition: 2,
          indexes: ['cents', ['owners', 'cents']],
        },
      ],
      call: (_, ...args) => {
        const made = bank();
        const collection = made.collection(...args);
        const { indexes } = collectionDefinition(collection);
        return async () => [indexes, await used([collection], pay(made))];
      },
    },
  ],
  'Domain.command': [
    {
      args: () => [
        'PAY',
        {
          input: type(),
          prepare: () => 'ready',
          reads: () => ({}),
          decide: (_: unknown, input: object, { prepared }: { prepared: string }) => failure(prepared, { ...input }),
          failureType: 'NOT_PAID',
          about: () => ({ account_id: 'b' }),
        },
      ],
      call: (_, ...args) => {
        const made = bank();
        const command = made.command(...args);
        return () => used([accounts(made)], command);
      },
    },
  ],
  'Collection.ref': takesNothing,

  'tidemark/memory.memory': [
    {
      args: () => [{ clock: () => 1_000, clockAheadMs: 10 }],
      call: (_, ...args) => ahead((tidemarkMemory.memory as Any)(...args)),
    },
  ],
  'tidemark/sqlite.sqlite': [
    {
      args: () => [
        `/tmp/tidemark-arguments-${process.pid}-${(files += 1)}.db`,
        { synchronous: 'off', clock: () => 1_000, clockAheadMs: 10, lockTimeoutMs: 100 },
      ],
      call: (_, ...args) => ahead((tidemarkSqlite.sqlite as Any)(...args)),
    },
  ],
  'tidemark/postgres.postgres': [
    {
      args: () => [
        'postgres://nobody@127.0.0.1:1/nothing',
        {
          schema: 'log',
          connections: 2,
          synchronousCommit: 'on',
          connectTimeoutMs: 2_000,
          lockTimeoutMs: 100,
          answerTimeoutMs: 100,
          clockAheadMs: 10,
          connection: { application_name: 'shop', ssl: { rejectUnauthorized: false } },
        },
      ],
      // What it says of where it can't be reached names the schema, and how long it tried.
      call: (_, ...args) => {
        const store = (tidemarkPostgres.postgres as Any)(...args);
        return () => store.open().then(undefined, ({ code, message }: Any) => [code, message]);
      },
    },
  ],
  'tidemark/postgres.grants': takesNothing,
  'Store.open': takesNothing,
  'tidemark/postgres.renamed': takesNothing,
  'tidemark/store.chainHash': takesNothing,
  'tidemark/store.assertBatch': atOnce,
  'tidemark/store.changedBy': atOnce,
  'tidemark/store.declaredKeyOf': takesNothing,
  'tidemark/store.givenClock': takesNothing,
  'tidemark/store.handledOf': takesNothing,
  'tidemark/store.hasSet': takesNothing,
  'tidemark/store.kindOf': atOnce,
  'tidemark/store.lowerBound': atOnce,
  'tidemark/store.machineClock': 'takes each option out of its object at once',
  'tidemark/store.pageRows': atOnce,
  'tidemark/store.refuseTimesAhead': atOnce,
  'tidemark/store.standing': atOnce,
  'tidemark/store.upperBound': atOnce,

  'tidemark/testing.at': [
    {
      args: () => [7, { ...paid }],
      call: (_, ...args) => {
        const one = (tidemarkTesting.at as Any)(...args);
        const made = bank();
        const collection = accounts(made, {
          reduce: { PAID: (_s: unknown, e: Any, { time }: Any) => ({ cents: e.cents + time }) },
        });
        return () => void tidemarkTesting.given([collection], [one]).expectDocument(collection, 'a', { cents: 12 });
      },
    },
  ],
  'tidemark/testing.given': [
    {
      args: () => {
        const made = bank();
        const collection = accounts(made);
        return [collection, { collections: [collection], commands: [pay(made)] }, [{ ...paid }]];
      },
      call: (_, collection, ...args) => {
        const scenario = (tidemarkTesting.given as Any)(...args);
        return () => void scenario.expectDocument(collection, 'a', { cents: 5 });
      },
    },
  ],
  'tidemark/testing.storeConformance': takesNothing,
  'Given.when': [
    {
      args: () => {
        const made = bank();
        const options = { time: 7, actor: 'ann', prepared: 'ready', id: 'c' };
        return [accounts(made), pay(made), { account_id: 'a', cents: 5 }, options];
      },
      call: (_, collection, ...args) => {
        const decided = (tidemarkTesting.given([collection]) as Any).when(...args);
        return () => void decided.expect(paid).expectDocument(collection, 'a', { cents: 5 });
      },
    },
  ],
  'Given.expectDocument': 'is done when it returns',
  'Decided.when': 'is that of Given',
  'Decided.expectDocument': 'is that of Given',
  'Decided.expect': 'is done when it returns',
  'Decided.expectError': takesNothing,
};

let files = 0;
/** Whether a store takes a decision that is further ahead of its clock than it was told. */
function ahead(store: Store): () => Promise<unknown> {
  return async () => {
    await using app = await open({ store, ...parts, clock: () => 1_011 });
    return app
      .execute(createService, { service_id: 'x' })
      .then(undefined, ({ code, details }: Any) => [code, details.aheadMs]);
  };
}

const charge = market.command('CHARGE', {
  input: type<{ service_id: string; lines: { cents: number }[] }>(),
  prepare: async ({ lines }) => {
    await new Promise((resolve) => void setImmediate(resolve));
    return lines[0]!.cents;
  },
  decide: (_, { service_id, lines }, { prepared, actor }) =>
    failure('CHARGED', { service_id, lines, prepared, actor: actor ?? '' }),
});

// --- What is done to arguments ------------------------------------------------------------------------------------------

/** Objects and arrays of the caller's own, which hold data. What has behaviour is used as it is, and is what it is. */
function isData(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || '~standard' in value) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

/** Nothing of it is as it was. */
function ruin(value: unknown): void {
  if (!isData(value)) return;
  Object.values(value).forEach(ruin);
  if (Array.isArray(value)) value.reverse().push('ruined');
  else for (const name of Object.keys(value)) value[name] = 'ruined';
}

/** Whatever is asked of it is right the first time, and never again. */
function unsteady(value: unknown): unknown {
  if (!isData(value)) return value;
  const asked = new Set<string | symbol>();
  return new Proxy(value, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name);
      if (!Object.hasOwn(target, name) || name === 'length') return found;
      if (asked.has(name)) return 'unsteady';
      asked.add(name);
      return unsteady(found);
    },
  });
}

/** Whether what the engine passes on is its own: no caller can change it before the store has answered. */
function watched(store: Store, changed: string[]): Store {
  const open = async (): Promise<Session> => {
    const session = await store.open();
    return new Proxy(session, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          const before = copyOf(args);
          const answer: unknown = Reflect.apply(value, target, args);
          const compare = (): void => {
            if (!isDeepStrictEqual(copyOf(args), before)) changed.push(String(name));
          };
          if (answer instanceof Promise) answer.then(compare, compare);
          return answer;
        };
      },
    });
  };
  return { name: store.name, open };
}

function copyOf(value: unknown): unknown {
  if (value instanceof Map || value instanceof Set) return [...value].map(copyOf);
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, copyOf(field)]));
}

async function world(store: Store): Promise<World> {
  const app: Any = await open({
    store,
    collections: parts.collections,
    commands: [...parts.commands, charge],
    clock: () => 1_000,
    logger: keepingLogger(),
  });
  await app.execute(createService, { service_id: 'a', quantity: 1 }, { id: 'first' });
  await app.execute(createService, { service_id: 'b', quantity: 3 }, { id: 'second' });
  await app.execute(buyService, { service_id: 'a', buyer_id: 'bob' }, { id: 'third' });
  await app.execute(viewService, { service_id: 'b' }, { id: 'fourth' });
  const { position, hash } = await app.status();
  const { version } = await app.get(services, 'b');
  return { app, point: { position, hash }, seen: { collection: 'services', id: 'b', version } };
}

type Touch = (args: unknown[]) => { readonly passed: unknown[]; readonly after?: () => void };
const untouched: Touch = (passed) => ({ passed });
const ruined: Touch = (passed) => ({ passed, after: () => passed.forEach(ruin) });
const asked: Touch = (args) => ({ passed: args.map(unsteady) });

/** What came of a call, and what it left behind: for others too, who are given what is remembered. */
async function told(store: Store, { args, call }: Method, touch: Touch): Promise<unknown> {
  const changed: string[] = [];
  const made = await world(watched(store, changed));
  await using app = made.app;
  const { passed, after } = touch(args(made));
  const telling = call(made, ...passed);
  after?.();
  const said = await Promise.resolve(telling()).catch(({ code, message }: Any) => ({ code, message }));
  const sold = await outcome(app.execute(buyService, { service_id: 'a', buyer_id: 'eve' }, { id: 'last' }))();
  const log = await events(app.events())();
  const documents = await app.get(services, ['a', 'b']);
  return { said, sold, log, documents, changed };
}

afterAll(async () => {
  const { rmSync } = await import('node:fs');
  for (let file = 1; file <= files; file += 1) {
    for (const end of ['', '-wal', '-shm'])
      rmSync(`/tmp/tidemark-arguments-${process.pid}-${file}.db${end}`, { force: true });
  }
});

const listed = Object.entries(methods).flatMap(([name, list]) =>
  typeof list === 'string' ? [] : list.map((method, index): [string, Method] => [`${name} ${index + 1}`, method]),
);

onLocalStores('lesson 27: arguments', (makeStore) => {
  test.each(listed.filter(([name]) => name.startsWith('App.')))(
    '%s, changed right after the call',
    async (_, method) => {
      expect(await told(makeStore(), method, ruined)).toEqual(await told(makeStore(), method, untouched));
    },
  );

  test.each(listed.filter(([name]) => name.startsWith('App.')))('%s, each read once', async (_, method) => {
    expect(await told(makeStore(), method, asked)).toEqual(await told(makeStore(), method, untouched));
  });
});

describe('lesson 27: arguments', () => {
  const { memory } = tidemarkMemory;

  test.each(listed.filter(([name]) => !name.startsWith('App.')))(
    '%s, changed right after the call',
    async (_, method) => {
      expect(await told(memory(), method, ruined)).toEqual(await told(memory(), method, untouched));
    },
  );

  test.each(listed.filter(([name]) => !name.startsWith('App.')))('%s, each read once', async (_, method) => {
    expect(await told(memory(), method, asked)).toEqual(await told(memory(), method, untouched));
  });

  test('of every public method', async () => {
    await using app = await open({ store: memory(), ...parts });
    const given = tidemarkTesting.given([services]);
    const surfaces = {
      App: app,
      Domain: market,
      Collection: services,
      Store: memory(),
      Given: given,
      Decided: given.when(viewService, { service_id: 'a' }),
      tidemark,
      'tidemark/memory': tidemarkMemory,
      'tidemark/sqlite': tidemarkSqlite,
      'tidemark/postgres': tidemarkPostgres,
      'tidemark/store': tidemarkStore,
      'tidemark/testing': tidemarkTesting,
    };
    const all = Object.entries(surfaces).flatMap(([name, surface]) =>
      methodsOf(surface).map((one) => `${name}.${one}`),
    );
    expect(Object.keys(methods).sort()).toEqual(all.sort());
  });

  test('control: the changes are seen where nothing is copied', async () => {
    const careless: Method = {
      args: () => [['a', 'b']],
      call:
        ({ app }, ids: string[]) =>
        async () => {
          await new Promise((resolve) => void setImmediate(resolve));
          return Promise.all(ids.map((id) => app.get(services, id)));
        },
    };
    const right = await told(memory(), careless, untouched);
    expect(await told(memory(), careless, ruined)).not.toEqual(right);
    const twice: Method = { args: careless.args, call: (_, ids: string[]) => later([ids[0], ids[0]]) };
    expect(await told(memory(), twice, asked)).not.toEqual(await told(memory(), twice, untouched));
  });
});

/** Functions that can be called, of an object and of what it is made by; not classes. */
function methodsOf(surface: object): string[] {
  const prototype: unknown = Object.getPrototypeOf(surface);
  const owners = prototype === Object.prototype || prototype === null ? [surface] : [surface, prototype as object];
  // What it inherits is public as well: a decision is a scenario that goes on.
  const base: unknown = owners[1] && Object.getPrototypeOf(owners[1]);
  if (base && base !== Object.prototype) owners.push(base as object);
  const names = owners.flatMap((owner) =>
    Reflect.ownKeys(owner).filter((name) => {
      if (name === 'constructor') return false;
      const value: unknown = (surface as Record<string | symbol, unknown>)[name];
      return typeof value === 'function' && !/^class\b/.test(String(value));
    }),
  );
  return [...new Set(names.map(String))];
}

test.each(['\u001fitems', 'items\u001f2', 'a\tb', 'a\u007f', '\u0085'])(
  'a collection can’t have a name with a control character: %j',
  (name) => {
    const shop = domain({ events: { OFFERED: type<{ item_id: string }>() } });
    const options = { key: 'item_id', initial: {}, reduce: { OFFERED: (state: object) => state } } as const;
    expect(() => shop.collection(name, options)).toThrow(
      expect.objectContaining({
        code: 'InvalidDefinition',
        message: expect.stringContaining('must have no control characters'),
        details: { collection: name },
      }),
    );
    expect(shop.collection('größe · 数 🌊', options).name).toBe('größe · 数 🌊');
  },
);
