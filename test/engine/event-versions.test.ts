/** Events of an older shape: what their upcasts make of them, and what is found where a schema changed in silence. */
import { domain, event, open, type, type EventOf, type Problem } from 'tidemark';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { memory } from 'tidemark/memory';
import { collect, onLocalStores } from '../support/stores.ts';

const address = z.object({ person_id: z.string(), city: z.string() });

/** People who moved, by some schema of `MOVED`. */
function people<Schema extends z.ZodType<{ person_id: string; city: string }> | ReturnType<typeof event>>(
  moved: Schema,
) {
  const registry = domain({ events: { MOVED: moved as never as typeof address } });
  const persons = registry.collection('persons', {
    key: 'person_id',
    initial: { city: '', zip: '' },
    reduce: {
      MOVED: (_, { city, ...more }) => ({ city, zip: (more as { zip?: string }).zip ?? 'none' }),
    },
  });
  const move = registry.command('MOVE', {
    input: type<EventOf<typeof registry, 'MOVED'>>(),
    decide: (_, { person_id, city }) => ({ type: 'MOVED', person_id, city }),
  });
  return { persons, move, parts: { collections: [persons], commands: [move] } };
}

const toParis = { type: 'MOVED', person_id: 'p', city: 'Paris' } as const;

onLocalStores('an upcast', (makeStore) => {
  test('whose result the newest schema refuses is named, with event and field, and verify finds it', async () => {
    const store = makeStore();
    const before = people(address);
    {
      await using app = await open({ store, ...before.parts });
      await app.execute(before.move, toParis);
    }
    const { persons, parts } = people(
      event(address, { version: 2, upcast: { 1: ({ city, ...old }) => ({ ...old, citty: city }) } }) as never,
    );
    await using app = await open({ store, ...parts });
    const refused = { code: 'UpcastFailed', details: { type: 'MOVED', from: 1, to: 2, position: 1 } };
    await expect(app.get(persons, 'p')).rejects.toMatchObject(refused);
    await expect(collect(app.events())).rejects.toMatchObject(refused);
    const { problems } = await app.verify();
    const message = expect.stringContaining('city') as string;
    expect(problems).toMatchObject([
      { code: 'Attachments', position: 1, message },
      { code: 'Document', message },
    ]);
  });

  test('fills in the defaults of the newest schema', async () => {
    const store = makeStore();
    const before = people(address);
    {
      await using app = await open({ store, ...before.parts });
      await app.execute(before.move, toParis);
    }
    const { persons, parts } = people(
      event(address.extend({ zip: z.string().default('75000') }), { version: 2, upcast: { 1: (old) => old } }) as never,
    );
    await using app = await open({ store, ...parts });
    expect((await app.get(persons, 'p')).state).toEqual({ city: 'Paris', zip: '75000' });
    expect((await app.verify()).problems).toEqual([]);
  });

  test('that drops an event: it counts as a version, no reducer sees it, readers see that it was dropped', async () => {
    const store = makeStore();
    const before = people(address);
    let time = 0;
    {
      await using app = await open({ store, ...before.parts });
      await app.execute(before.move, toParis);
      ({ time } = (await app.execute(before.move, { ...toParis, city: 'Nowhere' })).events[0]!);
    }
    const metas: object[] = [];
    const { persons, move, parts } = people(
      event(address, {
        version: 2,
        upcast: {
          1: (old, meta) => {
            metas.push(meta);
            return old.city === 'Nowhere' ? undefined : old;
          },
        },
      }) as never,
    );
    await using app = await open({ store, ...parts });
    expect(await app.get(persons, 'p')).toMatchObject({ version: 2, changed: 1, state: { city: 'Paris' } });
    expect(metas.at(-1)).toEqual({ time, position: 2 });
    expect((await collect(app.history(persons, 'p'))).map(({ event: one }) => one)).toEqual([
      toParis,
      { type: '$DROPPED', dropped: 'MOVED', fields: { person_id: 'p', city: 'Nowhere' } },
    ]);
    const moved = app.events({ types: ['MOVED'], limit: 5 });
    expect((await collect(moved)).map(({ position }) => position)).toEqual([1]);
    expect((await app.fold(persons)).get('p')).toMatchObject({ version: 2, changed: 1, state: { city: 'Paris' } });
    await app.execute(move, { ...toParis, city: 'Lyon' });
    expect(await app.get(persons, 'p')).toMatchObject({ version: 3, changed: 3, state: { city: 'Lyon' } });
    expect((await app.verify()).problems).toEqual([]);
  });
});

/** A command that notes what it is given, as an event that nobody handles. */
function noted(schema: unknown) {
  const made = domain({ events: { NOTED: schema as ReturnType<typeof type<object>> } });
  return made.command('NOTE', { input: type<object>(), decide: (_, input) => ({ type: 'NOTED', ...input }) });
}

test('law 9: verify finds an upcast that fails, also of a type that nobody handles', async () => {
  const store = memory();
  const note = noted(address);
  {
    await using app = await open({ store, collections: [], commands: [note] });
    await app.execute(note, { person_id: 'p', city: 'Paris' });
  }
  const changed = noted(event(address, { version: 2, upcast: { 1: () => ({}) } }));
  await using app = await open({ store, collections: [], commands: [changed] });
  expect((await app.verify()).problems).toMatchObject([
    { position: 1, message: expect.stringContaining('city') as string },
  ]);
});

onLocalStores('a schema that changed while its version did not', (makeStore) => {
  test.each([
    ['a default was added', address.extend({ zip: z.string().default('75000') }), 'zip'],
    ['a field is asked for', address.extend({ zip: z.string() }), 'zip'],
    ['a field deep inside', address.extend({ at: z.object({ x: z.int().default(1) }).prefault({}) }), 'at'],
  ])('%s: verify names type, position and field, once', async (_, schema, field) => {
    const store = makeStore();
    const before = people(address);
    {
      await using app = await open({ store, ...before.parts });
      for (const city of ['Paris', 'Lyon']) await app.execute(before.move, { ...toParis, city });
    }
    await using app = await open({ store, ...people(schema).parts });
    const { ok, problems } = await app.verify();
    expect(ok).toBe(false);
    expect(problems).toMatchObject([
      { code: 'Schema', position: 1, message: expect.stringContaining(field) as string },
    ]);
    expect(problems[0]!.message).toContain('version: 2');
  });

  /** What verify finds of what was stored by another schema. */
  async function verified(before: unknown, after: unknown, fields: object): Promise<readonly Problem[]> {
    const store = makeStore();
    const note = noted(before);
    {
      await using app = await open({ store, collections: [], commands: [note] });
      for (let n = 0; n < 2; n += 1) expect(await app.execute(note, fields)).toMatchObject({ status: 'succeeded' });
    }
    await using app = await open({ store, collections: [], commands: [noted(after)] });
    return (await app.verify()).problems;
  }

  test.each<[string, unknown, object, string]>([
    ['z.coerce.number', z.object({ n: z.coerce.number() }), { n: '5' }, 'a number of n, which is stored as a string'],
    ['z.coerce.string', z.object({ n: z.coerce.string() }), { n: 5 }, 'a string of n, which is stored as a number'],
    ['catch', z.object({ n: z.number().catch(7) }), { n: 'x' }, 'a number of n, which is stored as a string'],
    ['catch of null', z.object({ n: z.string().catch('') }), { n: null }, 'a string of n, which is stored as null'],
    ['null', z.object({ n: z.number().nullable().catch(null) }), { n: 'x' }, 'null of n, which is stored as a string'],
    [
      'one that became several',
      z.object({ n: z.preprocess((n) => [n].flat(), z.array(z.string())) }),
      { n: 'x' },
      'an array of n, which is stored as a string',
    ],
    [
      'deep inside',
      z.object({ at: z.array(z.object({ n: z.coerce.number() })) }),
      { at: [{ n: 1 }, { n: '2' }] },
      'a number of at[1].n, which is stored as a string',
    ],
    [
      'a default deep inside',
      z.object({ at: z.array(z.object({ n: z.int().default(1) })) }),
      { at: [{}] },
      'promises at[0].n',
    ],
    ['a date', z.object({ n: z.coerce.date() }), { n: 5 }, 'an object of n, which is stored as a number'],
  ])('gives another kind of value: %s', async (_, after, fields, said) => {
    const problems = await verified(type(), after, fields);
    expect(problems).toMatchObject([{ code: 'Schema', position: 1, message: expect.stringContaining(said) as string }]);
    expect(problems[0]!.message).toContain('version: 2');
  });

  const text = z.object({ n: z.string() });
  test.each<[string, unknown, unknown, object]>([
    ['trim', text, z.object({ n: z.string().trim() }), { n: 'x' }],
    ['trim, of what it would change', text, z.object({ n: z.string().trim() }), { n: ' x ' }],
    ['small letters', text, z.object({ n: z.string().toLowerCase() }), { n: 'X' }],
    ['a coercion that has nothing to do', z.object({ n: z.number() }), z.object({ n: z.coerce.number() }), { n: 5 }],
    ['a field less', text, z.object({}), { n: 'x' }],
    ['a field that may be missing', text, text.extend({ m: z.string().optional() }), { n: 'x' }],
    ['several kinds', text, z.object({ n: z.union([z.string(), z.number()]) }), { n: 'x' }],
    ['null where it may be', z.object({ n: z.null() }), z.object({ n: z.string().nullable() }), { n: null }],
  ])('or none: %s', async (_, before, after, fields) => {
    expect(await verified(before, after, fields)).toEqual([]);
  });

  test('a schema that transforms what it gave is no finding', async () => {
    const shouting = address.extend({ city: z.string().transform((city) => `${city}!`) });
    const { move, parts } = people(shouting);
    await using app = await open({ store: makeStore(), ...parts });
    await app.execute(move, toParis);
    expect((await app.verify()).problems).toEqual([]);
  });
});
