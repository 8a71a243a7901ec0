/** Key functions that changed in code: looked for when an application is opened, by attaching stored events again. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DefinitionChanged, domain, event, InvalidDefinition, open, RebuildRequired, type, type Store } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { expect, test } from 'vitest';
import { keepingLogger, onEveryStore, temporaryFolder } from '../support/stores.ts';

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

onEveryStore('a changed key function', (makeStore) => {
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

  test('with a raised definition it is another collection’s: told as that', async () => {
    const store = makeStore();
    const old = hotel(bySlash);
    await using app = await open({ store, ...old.parts });
    await app.execute(old.book, ann);
    await expect(open({ store, ...hotel(byColon, { definition: 2 }).parts })).rejects.toThrow(RebuildRequired);
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

onEveryStore('key functions and events of older versions', (makeStore) => {
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
