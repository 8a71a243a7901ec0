/** Key functions that changed in code, and upcasts that change ids: looked for when an application is opened, by attaching stored events again. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DefinitionChanged, domain, DomainOutdated, event, InvalidDefinition, open, type, type Store } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { expect, test } from 'vitest';
import { commit } from '../../src/testing/conformance/batches.ts';
import { keepingLogger, onLocalStores, temporaryFolder } from '../support/stores.ts';

const folder = temporaryFolder();

interface Booked {
  readonly room: string;
  readonly day: string;
  readonly guests?: readonly string[];
}
type Find = (event: Booked) => string | readonly string[] | undefined;
type Schema = ReturnType<typeof type<Booked>>;

interface Code {
  readonly definition?: number;
  readonly schema?: unknown;
  readonly noted?: Find;
}

/** Days are found by a function in `BOOKED`, and in `NOTED` where the code has one for that; `FILLED` is attached to nothing. */
function hotel(find: Find, { definition = 1, schema = type<Booked>(), noted }: Code = {}) {
  const made = domain({ events: { BOOKED: schema as Schema, NOTED: type<Booked>(), FILLED: type<Booked>() } });
  const days = made.collection('days', {
    key: { BOOKED: find, ...(noted && { NOTED: noted }) },
    initial: { booked: 0 },
    reduce: { BOOKED: ({ booked }) => ({ booked: booked + 1 }) },
    definition,
  });
  const book = made.command('BOOK', {
    input: type<Booked & { type?: 'BOOKED' | 'NOTED' | 'FILLED'; times?: number }>(),
    decide: (_, { type: of = 'BOOKED', times = 1, ...fields }) =>
      Array.from({ length: times }, () => ({ type: of, ...fields })),
  });
  return { days, book, parts: { collections: [days], commands: [book] } };
}

const bySlash: Find = ({ room, day }) => `${room}/${day}`;
const byColon: Find = ({ room, day }) => `${room}:${day}`;
const ann = { room: 'blue', day: ' Monday' };

/** Stores events by one key function, and opens by another. */
async function reopened(store: Store, before: Find, after: Find, ...booked: readonly Booked[]): Promise<unknown> {
  const old = hotel(before);
  await using app = await open({ store, ...old.parts });
  for (const input of booked) await app.execute(old.book, input);
  const opened = open({ store, ...hotel(after).parts });
  return opened.then(
    async (again) => again.close(),
    (error: unknown) => error,
  );
}

onLocalStores('a changed key function', (makeStore) => {
  test.each<[string, Find, Find, Booked, readonly string[], readonly string[] | object]>([
    ['another separator in a template literal', bySlash, byColon, ann, ['blue/ Monday'], ['blue: Monday']],
    [
      'trim() that became trim().toLowerCase()',
      ({ day }) => day.trim(),
      ({ day }) => day.trim().toLowerCase(),
      ann,
      ['Monday'],
      ['monday'],
    ],
    ['one that finds nothing any more', bySlash, () => undefined, ann, ['blue/ Monday'], []],
    [
      'one that finds more',
      bySlash,
      (e) => [bySlash(e) as string, 'all'],
      ann,
      ['blue/ Monday'],
      ['blue/ Monday', 'all'],
    ],
    ['one that found nothing before', () => undefined, bySlash, ann, [], ['blue/ Monday']],
    [
      'one that throws now',
      bySlash,
      ({ guests }) => guests![0]!,
      ann,
      ['blue/ Monday'],
      { error: expect.stringContaining('TypeError') },
    ],
    ['one that gives no id now', bySlash, () => '', ann, ['blue/ Monday'], { error: expect.stringContaining('empty') }],
  ])(
    '%s: open refuses by name, and says what was stored and what is found',
    async (_, before, after, booked, stored, found) => {
      const store = makeStore();
      const error = (await reopened(store, before, after, { room: 'red', day: 'x' }, booked)) as DefinitionChanged;
      expect(error).toBeInstanceOf(DefinitionChanged);
      expect(error.details).toEqual({ collection: 'days', type: 'BOOKED', position: 2, stored, found });
      expect(error.message).toMatch(/days for BOOKED.*position 2.*raise definition to 2/s);
      // Nothing was changed by trying, and whoever has the old function goes on.
      await using again = await open({ store, ...hotel(before).parts });
      expect((await again.status()).generation).toBe(1);
    },
  );

  test.each<[string, Find, Find]>([
    ['the same function written in another way', bySlash, (e) => [e.room, e.day].join('/')],
    ['the same ids in another order', (e) => e.guests ?? [], (e) => [...(e.guests ?? [])].reverse()],
    ['the same id found twice', (e) => e.room, (e) => [e.room, e.room]],
  ])('none: %s opens', async (_, before, after) => {
    const booked = { ...ann, guests: ['ann', 'bob'] };
    expect(await reopened(makeStore(), before, after, booked, { ...booked, room: 'red' })).toBeUndefined();
  });

  test('it refuses before it registers anything: not even types that are new', async () => {
    const store = makeStore();
    const old = hotel(bySlash);
    await using app = await open({ store, ...old.parts });
    await app.execute(old.book, ann);
    await expect(open({ store, ...hotel(byColon, { noted: byColon }).parts })).rejects.toThrow(DefinitionChanged);
    await using again = await open({ store, ...hotel(bySlash, { noted: byColon }).parts });
    expect((await again.status()).generation).toBe(2);
  });

  test('with a raised definition it is another key: the old one must go, as this code can’t attach by it any more', async () => {
    const store = makeStore();
    const old = hotel(bySlash);
    await using app = await open({ store, ...old.parts });
    await app.execute(old.book, ann);
    const raised = hotel(byColon, { definition: 2 });
    // What the errors say to do is what it takes.
    const told = "retired: [{ collection: 'days', definition: 1 }]";
    const retired = [{ collection: 'days', definition: 1 }] as const;
    await expect(open({ store, ...hotel(byColon).parts })).rejects.toMatchObject({
      code: 'DefinitionChanged',
      message: expect.stringContaining(`raise definition to 2, and open once with definitions: 'before' and ${told}`),
    });
    const refused = { code: 'DomainOutdated', message: expect.stringContaining(told) };
    await expect(open({ store, ...raised.parts })).rejects.toMatchObject(refused);
    await expect(open({ store, ...raised.parts, definitions: 'before' })).rejects.toMatchObject(refused);
    await expect(open({ store, ...raised.parts, retired })).rejects.toMatchObject({
      code: 'RebuildRequired',
      message: expect.stringContaining("definitions: 'before'"),
    });
    await using now = await open({ store, ...raised.parts, retired, definitions: 'before' });
    expect(await now.get(raised.days, 'blue: Monday')).toMatchObject({ version: 1, state: { booked: 1 } });
    await expect(app.execute(old.book, ann)).rejects.toThrow(DomainOutdated);
    await expect(open({ store, ...old.parts })).rejects.toThrow(DomainOutdated);
    // Back again, the same way.
    const back = { definitions: 'before', retired: [{ collection: 'days', definition: 2 }] } as const;
    await using again = await open({ store, ...old.parts, ...back });
    expect(await again.get(old.days, 'blue/ Monday')).toMatchObject({ version: 1 });
  });

  test('each type has a sample of its own: a rare one far before the end, too', async () => {
    const store = makeStore();
    const old = hotel(bySlash, { noted: bySlash });
    await using app = await open({ store, ...old.parts });
    await app.execute(old.book, { ...ann, type: 'NOTED' });
    // More than the newest positions that are looked at.
    for (let n = 0; n < 11; n += 1) await app.execute(old.book, { ...ann, type: 'FILLED', times: 1_000 });
    for (let n = 0; n < 2; n += 1) await app.execute(old.book, { ...ann, times: 100 });
    const error = (await open({ store, ...hotel(bySlash, { noted: byColon }).parts }).catch(
      (caught: unknown) => caught,
    )) as DefinitionChanged;
    expect(error).toBeInstanceOf(DefinitionChanged);
    expect(error.details).toMatchObject({ type: 'NOTED', position: 1 });
    await using _ = await open({ store, ...hotel(bySlash, { noted: bySlash }).parts });
  });

  test('it is bounded: what lies between is found by verify', async () => {
    const store = makeStore();
    const old = hotel(bySlash);
    await using app = await open({ store, ...old.parts });
    const times = 1_000;
    await app.execute(old.book, { room: 'red', day: 'x', times });
    await app.execute(old.book, ann);
    await app.execute(old.book, { room: 'red', day: 'x', times });
    const now = hotel(({ room, day }) => `${room}/${day.trim()}`);
    await using after = await open({ store, ...now.parts });
    expect((await after.verify()).problems).toEqual([
      { code: 'Attachments', position: times + 1, message: expect.stringContaining('blue/Monday') },
    ]);
  });
});

const versioned = (upcast: (old: { place: string; day: string }) => object) =>
  event(type<Booked>(), { version: 2, upcast: { 1: upcast } });

onLocalStores('key functions and events of older versions', (makeStore) => {
  const byPlace = ((e: { place: string; day: string }) => `${e.place}/${e.day}`) as unknown as Find;

  /** One event stored in version 1, which had `place` for a room. */
  async function older(store: Store, schema: unknown, find: Find): Promise<unknown> {
    const old = hotel(byPlace);
    await using app = await open({ store, ...old.parts });
    await app.execute(old.book, { place: 'blue', day: 'Monday' } as unknown as Booked);
    return open({ store, ...hotel(find, { schema }).parts }).then(
      async (again) => again.close(),
      (error: unknown) => error,
    );
  }

  test('a function of the newest shape is given that', async () => {
    const schema = versioned(({ place, ...rest }) => ({ ...rest, room: place }));
    expect(await older(makeStore(), schema, bySlash)).toBeUndefined();
  });

  test('one that changed with the shape is found', async () => {
    const schema = versioned(({ place, ...rest }) => ({ ...rest, room: place }));
    expect(await older(makeStore(), schema, byColon)).toBeInstanceOf(DefinitionChanged);
  });

  test('an upcast that changes the ids is told as that', async () => {
    const schema = versioned((old) => ({ ...old, place: old.place.toUpperCase() }));
    const error = await older(makeStore(), schema, byPlace);
    expect(error).toBeInstanceOf(InvalidDefinition);
    expect((error as InvalidDefinition).details).toEqual({
      collection: 'days',
      type: 'BOOKED',
      position: 1,
      schemaVersion: 1,
      stored: ['blue/Monday'],
      found: ['BLUE/Monday'],
    });
  });

  test('what can’t be read here is for whoever reads it: a newer release’s version, an upcast that fails', async () => {
    const failing = versioned(() => {
      throw new Error('no');
    });
    expect(await older(makeStore(), failing, byColon)).toBeUndefined();
    const store = makeStore();
    const newer = hotel(bySlash, { schema: versioned((old) => old) });
    await using app = await open({ store, ...newer.parts });
    await app.execute(newer.book, ann);
    await using _ = await open({ store, ...hotel(byColon).parts, logger: keepingLogger() });
  });
});

interface Moved {
  readonly id: string;
  readonly at?: object;
}

/** Boxes that are moved, found by a declared key; by some version of `MOVED`. */
function depot(key: object | string, schema: unknown = type<Moved>()) {
  const made = domain({ events: { MOVED: schema as ReturnType<typeof type<Moved>>, FILLED: type<object>() } });
  const boxes = made.collection('boxes', {
    key: key as never,
    initial: { moved: 0 },
    reduce: { MOVED: ({ moved }: { moved: number }) => ({ moved: moved + 1 }) } as never,
  });
  const move = made.command('MOVE', {
    input: type<object>(),
    decide: (_, { times = 1, of = 'MOVED', ...fields }: { times?: number; of?: string }) =>
      Array.from({ length: times }, () => ({ type: of, ...fields })) as never,
  });
  return { boxes, move, parts: { collections: [boxes], commands: [move] } };
}

const keys: [string, object | string][] = [
  ['a field', 'id'],
  ['several fields', ['id', 'other']],
  ['a path', { MOVED: 'at.id' }],
  ['a path through an array', { MOVED: ['id', 'list[].id'] }],
];
const moved = { id: 'X', at: { id: 'X' }, list: [{ id: 'X' }] };
const lower = { id: 'x', at: { id: 'x' }, list: [{ id: 'x' }] };

/** What becomes of opening by a newer schema, after an event of version 1. */
async function upcastKeyed(
  store: Store,
  key: object | string,
  schema: unknown,
  fields: object = moved,
): Promise<unknown> {
  const old = depot(key);
  await using app = await open({ store, ...old.parts });
  await app.execute(old.move, fields);
  return open({ store, ...depot(key, schema).parts }).then(
    async (again) => {
      const { problems } = await again.verify();
      await again.close();
      return problems;
    },
    (error: unknown) => error,
  );
}
const upcasting = (upcast: (old: never) => object | undefined): object =>
  event(type<Moved>(), { version: 2, upcast: { 1: upcast as never } });

onLocalStores('declared keys and upcasts', (makeStore) => {
  test.each(keys)('an upcast that changes the ids is named when it is opened: %s', async (_, key) => {
    const error = await upcastKeyed(
      makeStore(),
      key,
      upcasting(() => lower),
    );
    expect(error).toBeInstanceOf(InvalidDefinition);
    expect((error as InvalidDefinition).details).toEqual({
      collection: 'boxes',
      type: 'MOVED',
      position: 1,
      schemaVersion: 1,
      stored: ['X'],
      found: ['x'],
    });
    expect((error as Error).message).toMatch(/upcast of MOVED from version 1 changes its ids/);
  });

  test.each(keys)('so is one that leaves none, or what is no id: %s', async (_, key) => {
    expect(
      await upcastKeyed(
        makeStore(),
        key,
        upcasting(() => ({})),
      ),
    ).toMatchObject({ details: { stored: ['X'], found: [] } });
    const wrong = { id: 7, at: { id: 7 }, list: [{ id: 7 }] };
    expect(
      await upcastKeyed(
        makeStore(),
        key,
        upcasting(() => wrong),
      ),
    ).toMatchObject({
      code: 'InvalidDefinition',
      details: { stored: ['X'], found: { error: expect.stringContaining('must be a string') } },
    });
  });

  test.each(keys)('one that leaves the ids alone opens, and so does one that drops the event: %s', async (_, key) => {
    expect(
      await upcastKeyed(
        makeStore(),
        key,
        upcasting((old: object) => ({ ...old, more: 1 })),
      ),
    ).toEqual([]);
    expect(
      await upcastKeyed(
        makeStore(),
        key,
        upcasting(() => undefined),
      ),
    ).toEqual([]);
  });

  test('so does one of an event that is attached to nothing, as the path met another shape', async () => {
    const store = makeStore();
    {
      await using _ = await open({ store, ...depot({ MOVED: 'at.id' }).parts });
      const session = await store.open();
      const stored = { type: 'MOVED', schemaVersion: 1, json: '{"at":"X"}', attachments: [] };
      await session.append({
        seen: (await session.load([])).end,
        generation: (await session.registry()).generation,
        handled: new Map(),
        reads: [],
        commits: [commit('c1', stored)],
      });
      await session.close();
    }
    await using app = await open({
      store,
      ...depot(
        { MOVED: 'at.id' },
        upcasting((old) => old),
      ).parts,
    });
    expect((await app.verify()).problems).toMatchObject([
      { code: 'Attachments', position: 1, message: expect.stringContaining("can't look into it") as string },
    ]);
  });

  test('another key is told as that, whatever the upcast does', async () => {
    const store = makeStore();
    const old = depot('id');
    await using app = await open({ store, ...old.parts });
    await app.execute(old.move, moved);
    const renamed = upcasting(({ id }: { id: string }) => ({ box_id: id }));
    await expect(open({ store, ...depot('box_id', renamed).parts })).rejects.toThrow(DefinitionChanged);
  });

  test('events of the oldest version are looked at where they are, however many newer ones there are', async () => {
    const store = makeStore();
    const old = depot('id');
    await using app = await open({ store, ...old.parts });
    await app.execute(old.move, moved);
    const sound = depot(
      'id',
      upcasting((one) => one),
    );
    await using second = await open({ store, ...sound.parts });
    await second.execute(sound.move, { ...moved, times: 200 });
    await expect(
      open({
        store,
        ...depot(
          'id',
          upcasting(() => lower),
        ).parts,
      }),
    ).rejects.toThrow(InvalidDefinition);
  });

  test('what the sample doesn’t hold is found by verify, once a type', async () => {
    const store = makeStore();
    const old = depot('id');
    await using app = await open({ store, ...old.parts });
    const times = 1_000;
    await app.execute(old.move, { id: 'y', times });
    for (let n = 0; n < 2; n += 1) await app.execute(old.move, moved);
    await app.execute(old.move, { id: 'y', times });
    const newer = depot(
      'id',
      upcasting((one: Moved) => ({ ...one, id: one.id.toLowerCase() })),
    );
    await using again = await open({ store, ...newer.parts });
    expect((await again.verify()).problems).toEqual([
      {
        code: 'Attachments',
        position: times + 1,
        message:
          `The event MOVED at position ${times + 1} was stored at version 1 and is attached to boxes "X", but in the shape of ` +
          'version 2 the keys find boxes "x". An upcast must not change ids.',
      },
    ]);
  });
});

test('verify says of each event of an older version that it was attached to something else', async () => {
  const file = join(folder, 'older.db');
  const old = depot('id');
  const app = await open({ store: sqlite(file), ...old.parts });
  for (const id of ['a', 'b', 'c']) await app.execute(old.move, { id });
  await app.close();
  const database = new DatabaseSync(file);
  database.exec(
    'UPDATE events SET attachments = (SELECT attachments FROM events WHERE position = 3) WHERE position < 3',
  );
  database.close();
  const upcast = { 1: (one: Moved) => one };
  const newer = depot('id', event(type<Moved>(), { version: 2, upcast }));
  await using again = await open({ store: sqlite(file), ...newer.parts });
  const { problems } = await again.verify();
  expect(problems.filter(({ message }) => message.includes('keys find')).map(({ position }) => position)).toEqual([
    1, 2,
  ]);
});

test.each([
  ['a text that is no JSON', `UPDATE events SET json = '{' WHERE position = 2`],
  ['a row that is missing', 'DELETE FROM events WHERE position = 2'],
])('a damaged log opens with a warning, so that it can be verified: %s', async (name, sql) => {
  const file = join(folder, `${name}.db`);
  const { book, parts } = hotel(bySlash);
  const app = await open({ store: sqlite(file), ...parts });
  for (let n = 0; n < 2; n += 1) await app.execute(book, ann);
  await app.close();
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
  const logger = keepingLogger();
  await using again = await open({ store: sqlite(file), ...parts, logger });
  expect(logger.lines).toMatchObject([{ level: 'warn', details: { error: { code: 'LogCorrupt' } } }]);
  expect((await again.verify()).ok).toBe(false);
});
