/** The rules of registering, one by one. The stores only keep what they say. */
import { expect, test } from 'vitest';
import type { DeclaredKey } from '../../model/key.ts';
import { changedBy } from '../../store/registry.ts';
import type { Judge, LogFacts, Registry } from '../../store/store.ts';
import { aging, retiring, UNUSED_MS, USED_MS, using, type Retired } from './retiring.ts';
import { KEYING_MARK, registering, type CollectionEntry, type Definitions } from './rules.ts';

const NOW = 1_000_000_000_000;
const NOTHING: Registry = { generation: 0, last: 0, keyings: [], definitions: [], indexes: [] };
const EMPTY: LogFacts = { isEmpty: true, firstOf: () => undefined };

/** A log that has held these types, in this order. */
const holding = (...types: string[]): LogFacts => ({
  isEmpty: false,
  firstOf: (type) => (types.includes(type) ? types.indexOf(type) + 1 : undefined),
});

const map = (...types: string[]): DeclaredKey => ({
  types: Object.fromEntries(types.map((type) => [type, ['seat_id']])),
});

function entry(changes: Partial<CollectionEntry> = {}): CollectionEntry {
  return {
    name: 'seats',
    definition: 1,
    key: { fields: ['seat_id'] },
    handled: ['MADE', 'SOLD'],
    indexes: [],
    ...changes,
  };
}

/** A registry that is changed as a store changes it. */
class Registered {
  registry = NOTHING;

  change(judge: Judge, log: LogFacts): this {
    const before = this.registry;
    const change = judge(before, log);
    if (!change) return this;
    this.registry = changedBy(before, change);
    return this;
  }

  register(
    log: LogFacts,
    changes: Partial<CollectionEntry> | readonly Partial<CollectionEntry>[] = {},
    definitions: Definitions = 'online',
  ): this {
    const entries = (Array.isArray(changes) ? changes : [changes]) as readonly Partial<CollectionEntry>[];
    return this.change(registering(entries.map(entry), { definitions, now: NOW }), log);
  }

  retire(...retired: Retired[]): this {
    return this.change(retiring(retired), holding());
  }

  /** The filling of all keyings and indexes comes to its end. */
  fill(): this {
    return this.change(
      ({ keyings, indexes, last }) => ({
        raises: true,
        last,
        keyings: keyings.map((one) => (one.state === 'filling' ? { ...one, state: 'live', filled: 9 } : one)),
        indexes: indexes.map((one) => ({ ...one, state: 'live' })),
      }),
      holding(),
    );
  }

  /** Definitions in few words: number, types, keying and its state. */
  get definitions(): string[] {
    return this.registry.definitions.map(({ definition, handled, keying }) => {
      const { state } = this.registry.keyings.find(({ name }) => name === keying)!;
      const [collection, later] = keying.split(KEYING_MARK);
      return `${definition} ${handled.join('+')} by ${collection}${later ? '~' : ''} ${state}`;
    });
  }
}

const seats = (): Registered => new Registered().register(EMPTY);
const filled = holding('MADE', 'SOLD', 'SEEN');

test('a new collection of an empty log is live at once', () => {
  const { registry, definitions } = seats();
  expect(registry.generation).toBe(1);
  expect(definitions).toEqual(['1 MADE+SOLD by seats live']);
  expect(registry.definitions[0]).toMatchObject({ collection: 'seats', usedAt: NOW });
});

test('what is registered changes nothing: no write, no generation, no number', () => {
  for (const log of [EMPTY, filled]) {
    const again = seats();
    const before = again.registry;
    expect(again.register(log).register(log, { handled: ['SOLD', 'MADE', 'SOLD'] }).registry).toBe(before);
  }
});

test.each<[string, DeclaredKey]>([
  ['a field: any event may have it, undeclared failures too', { fields: ['room_id'] }],
  ['a template', { fields: [{ template: '{room_id}/{day}' }] }],
  ['a map with a type that was held', map('MADE', 'NEVER')],
])('a new collection of a filled log with %s is filled', (_, key) => {
  const { definitions, registry } = new Registered().register(filled, { key });
  expect(definitions).toEqual(['1 MADE+SOLD by seats filling']);
  expect(registry.keyings[0]!.filled).toBe(0);
});

test('a key map of types that were never held opens at once, also where nothing may be made', () => {
  const { definitions } = new Registered().register(filled, { key: map('NEVER', 'YET') }, 'refuse');
  expect(definitions).toEqual(['1 MADE+SOLD by seats live']);
});

test('another number with the same key shares its keying: nothing is attached again', () => {
  const both = seats().register(filled, { definition: 2, handled: ['MADE'] });
  expect(both.definitions).toEqual(['1 MADE+SOLD by seats live', '2 MADE by seats live']);
  const [one, other] = both.registry.definitions;
  expect(one!.set).not.toBe(other!.set);
  expect(both.registry.generation).toBe(2);
});

test('another number with another key has a keying of its own, and the first stays live (rule 6)', () => {
  const both = seats().register(filled, { definition: 2, key: { fields: ['row_id'] } });
  expect(both.definitions).toEqual(['1 MADE+SOLD by seats live', '2 MADE+SOLD by seats~ filling']);
  expect(both.registry.keyings.map(({ collection }) => collection)).toEqual(['seats', 'seats']);
});

test('a lower number beside a higher one is an older release: it is added like any other', () => {
  const both = new Registered().register(EMPTY, { definition: 2 }).register(filled, { definition: 1 });
  expect(both.definitions).toEqual(['2 MADE+SOLD by seats live', '1 MADE+SOLD by seats live']);
});

test.each<[string, Partial<CollectionEntry>]>([
  ['another key', { key: { fields: ['row_id'] } }],
  ['a map that says the same as a field: a field is looked for in every type (rule 11)', { key: map('MADE', 'SOLD') }],
  ['a type that the log holds', { handled: ['MADE', 'SOLD', 'SEEN'] }],
  ['a type gone and one added', { handled: ['MADE', 'NEVER'] }],
])('under an unraised number %s is refused by name', (_, changes) => {
  const registered = seats();
  const before = registered.registry;
  expect(() => registered.register(filled, changes)).toThrow(
    expect.objectContaining({
      code: 'DefinitionChanged',
      message: expect.stringMatching(/collection seats.*raise definition to 2/s),
      details: expect.objectContaining({ collection: 'seats', definition: 1 }),
    }),
  );
  expect(registered.registry).toBe(before);
});

test.each<[string, DeclaredKey, DeclaredKey]>([
  ['a held type more in a key map', map('MADE'), map('MADE', 'SEEN')],
  ['another path of a type', map('MADE'), { types: { MADE: ['row_id'] } }],
])('under an unraised number %s is refused by name', (_, key, changed) => {
  const registered = new Registered().register(EMPTY, { key, handled: ['MADE'] });
  expect(() => registered.register(filled, { key: changed, handled: ['MADE'] })).toThrow(
    expect.objectContaining({ code: 'DefinitionChanged' }),
  );
});

test('types that were never held are added to key and reducers: a definition of its own under the number (rule 1)', () => {
  const registered = new Registered().register(EMPTY, { key: map('MADE'), handled: ['MADE'] });
  registered.register(filled, { key: map('MADE', 'NEVER'), handled: ['MADE', 'NEVER'] }, 'refuse');
  expect(registered.definitions).toEqual(['1 MADE by seats live', '1 MADE+NEVER by seats live']);
  expect(registered.registry.generation).toBe(2);
  expect(registered.registry.keyings).toMatchObject([{ key: map('MADE', 'NEVER') }]);
  // Their documents differ from the first event of the added type on.
  const [one, other] = registered.registry.definitions;
  expect(one!.set).not.toBe(other!.set);
});

test('an older subset still opens, has documents of its own, and no other server needs to know', () => {
  const registered = seats().register(filled, { handled: ['MADE'] }, 'refuse');
  expect(registered.definitions).toEqual(['1 MADE+SOLD by seats live', '1 MADE by seats live']);
  expect(registered.registry.generation).toBe(1);
});

test('a subset of the types in a key map opens, and the key stays as it is', () => {
  const registered = new Registered().register(EMPTY, { key: map('MADE', 'SOLD') });
  registered.register(filled, { key: map('MADE'), handled: ['MADE'] }, 'refuse');
  expect(registered.registry.keyings).toMatchObject([{ key: map('MADE', 'SOLD') }]);
  expect(registered.registry.generation).toBe(1);
});

test('added types are compared with those of all definitions under the number', () => {
  // B was added by another release when the log had never held it: this code has A and B, and nobody lacks any.
  const registered = new Registered()
    .register(EMPTY, { handled: ['MADE'] })
    .register(holding('MADE'), { handled: ['MADE', 'SOLD'] })
    .register(filled, { handled: ['MADE', 'SOLD'] });
  expect(registered.definitions).toEqual(['1 MADE by seats live', '1 MADE+SOLD by seats live']);
});

test('a definition that was never ready is replaced under its number', () => {
  const registered = seats().register(filled, { definition: 2, key: { fields: ['row_id'] } });
  const [, never] = registered.registry.definitions;
  registered.register(filled, { definition: 2, key: { fields: ['hall_id'] } });
  expect(registered.definitions).toEqual(['1 MADE+SOLD by seats live', '2 MADE+SOLD by seats~ filling']);
  expect(registered.registry.definitions.map(({ id }) => id)).not.toContain(never!.id);
  expect(registered.registry.keyings.map(({ state }) => state)).toEqual(['live', 'retired', 'filling']);
});

test('it is used as it is by whoever has the same code', () => {
  const registered = seats().register(filled, { definition: 2, key: { fields: ['row_id'] } });
  const before = registered.registry;
  expect(registered.register(filled, { definition: 2, key: { fields: ['row_id'] } }).registry).toBe(before);
});

test('once it is ready, it is refused as any other', () => {
  const registered = seats()
    .register(filled, { definition: 2, key: { fields: ['row_id'] } })
    .fill();
  expect(() => registered.register(filled, { definition: 2, key: { fields: ['hall_id'] } })).toThrow(
    expect.objectContaining({ code: 'DefinitionChanged', message: expect.stringContaining('raise definition to 3') }),
  );
});

test.each<[string, (registered: Registered) => Registered]>([
  ['a new collection', (registered) => registered.register(filled, { name: 'rows' }, 'refuse')],
  ['another number', (registered) => registered.register(filled, { definition: 2 }, 'refuse')],
  [
    'another number with another key',
    (registered) => registered.register(filled, { definition: 2, key: { fields: ['row_id'] } }, 'refuse'),
  ],
])("with 'refuse' %s of a filled log is RebuildRequired, and nothing is registered", (_, register) => {
  const registered = seats();
  const before = registered.registry;
  expect(() => register(registered)).toThrow(expect.objectContaining({ code: 'RebuildRequired' }));
  expect(registered.registry).toBe(before);
});

test("with 'refuse' everything opens on an empty log", () => {
  const all = [{}, { name: 'rows' }].map(entry);
  const registered = new Registered().register(EMPTY, all, 'refuse').register(EMPTY, { definition: 2 }, 'refuse');
  expect(registered.registry.definitions).toHaveLength(3);
});

test('all or none: what the second collection is refused for, the first isn’t registered', () => {
  const registered = seats();
  const before = registered.registry;
  const both = [{ name: 'rows' }, { key: { fields: ['row_id'] } }];
  expect(() => registered.register(filled, both)).toThrow(expect.objectContaining({ code: 'DefinitionChanged' }));
  expect(registered.registry).toBe(before);
});

const byFunction: DeclaredKey = { types: { MADE: 'function' } };

test("a key function over old events needs definitions: 'before' (rule 6)", () => {
  const code = { name: 'rows', key: byFunction, handled: ['MADE'] };
  for (const definitions of ['online', 'refuse'] as const) {
    expect(() => seats().register(filled, code, definitions)).toThrow(
      expect.objectContaining({ code: 'RebuildRequired' }),
    );
  }
  expect(seats().register(filled, code, 'before').definitions).toContain('1 MADE by rows filling');
  expect(new Registered().register(EMPTY, code).definitions).toEqual(['1 MADE by rows live']);
});

test('a key function serves its own definition alone: another number has a keying of its own', () => {
  const registered = new Registered().register(EMPTY, { key: byFunction, handled: ['MADE'] });
  registered.register(filled, { definition: 2, key: byFunction, handled: ['MADE'] }, 'before');
  expect(registered.definitions).toEqual(['1 MADE by seats live', '2 MADE by seats~ filling']);
  expect(registered.registry.keyings.map(({ definition }) => definition)).toEqual([1, 2]);
});

test('an index is added to a set that is there, and filled; of a new set it is live at once', () => {
  const registered = new Registered().register(EMPTY, { indexes: [['price']] });
  expect(registered.registry.indexes).toMatchObject([{ fields: ['price'], state: 'live' }]);
  registered.register(filled, { indexes: [['price'], ['row', 'price']] });
  expect(registered.registry.indexes).toMatchObject([
    { fields: ['price'], state: 'live' },
    { fields: ['row', 'price'], state: 'filling' },
  ]);
  expect(registered.registry.generation).toBe(2);
  const before = registered.registry;
  // Less than is there: the other may be an older release's.
  expect(registered.register(filled, { indexes: [] }).registry).toBe(before);
});

test('retired by name: all definitions of it go, and its keyings', () => {
  const registered = seats()
    .register(filled, { definition: 2, key: { fields: ['row_id'] } })
    .register(filled, { name: 'rows', indexes: [['price']] })
    .retire('seats');
  expect(registered.definitions).toEqual(['1 MADE+SOLD by rows filling']);
  expect(registered.registry.keyings.map(({ state }) => state)).toEqual(['filling', 'retired', 'retired']);
  expect(registered.registry.indexes).toHaveLength(1);
});

test('one definition retired: the others stay, and so does a keying that they share', () => {
  const shared = seats().register(filled, { definition: 2 }).retire({ collection: 'seats', definition: 1 });
  expect(shared.definitions).toEqual(['2 MADE+SOLD by seats live']);
  expect(shared.registry.keyings.map(({ state }) => state)).toEqual(['live']);
  const before = shared.registry;
  expect(shared.retire('nobody', { collection: 'seats', definition: 1 }).registry).toBe(before);
});

test('indexes go with the sets that had them', () => {
  const registered = new Registered().register(EMPTY, { indexes: [['price']] }).retire('seats');
  expect(registered.registry.indexes).toEqual([]);
});

test('what was retired may come again: as a new keying, filled from the first event on', () => {
  const registered = seats().retire('seats').register(filled);
  expect(registered.definitions).toEqual(['1 MADE+SOLD by seats~ filling']);
});

test('unused for a day of the log’s time: it goes, with its indexes', () => {
  const registered = new Registered().register(EMPTY, { indexes: [['price']] });
  registered.change(aging(NOW + UNUSED_MS), filled);
  expect(registered.registry.definitions).toHaveLength(1);
  registered.change(aging(NOW + UNUSED_MS + 1), filled);
  expect(registered.registry).toMatchObject({ definitions: [], indexes: [], keyings: [{ state: 'retired' }] });
});

test('an index that no code declares any more goes alone', () => {
  const registered = new Registered().register(EMPTY, { indexes: [['price']] });
  const { id } = registered.registry.definitions[0]!;
  registered.change(using(new Set([id]), NOW + UNUSED_MS), filled);
  registered.change(aging(NOW + UNUSED_MS + 1), filled);
  expect(registered.registry).toMatchObject({ definitions: [{ usedAt: NOW + UNUSED_MS }], indexes: [] });
});

test('use is marked once an hour, and no server has to know', () => {
  const registered = seats();
  const { id } = registered.registry.definitions[0]!;
  const before = registered.registry;
  expect(registered.change(using(new Set([id]), NOW + USED_MS - 1), filled).registry).toBe(before);
  registered.change(using(new Set([id]), NOW + USED_MS), filled);
  expect(registered.registry).toMatchObject({ generation: 1, definitions: [{ usedAt: NOW + USED_MS }] });
});

test('what was registered before the first commit, when the log had no time, is a day old a day later', () => {
  const entries = [entry({ indexes: [['price']] })];
  const registered = new Registered().change(registering(entries, { definitions: 'online', now: 0 }), EMPTY);
  registered.change(aging(NOW), filled);
  const used = [{ usedAt: NOW }];
  expect(registered.registry).toMatchObject({ generation: 1, definitions: used, indexes: used });
  registered.change(aging(NOW + UNUSED_MS + 1), filled);
  expect(registered.registry.definitions).toEqual([]);
});

test('types that another definition has added to a shared key are no reason to raise to a number that is taken', () => {
  const log = holding('MADE');
  const registered = new Registered()
    .register(EMPTY, { key: map('MADE'), handled: ['MADE'] })
    .register(log, { definition: 2, key: map('MADE', 'SOLD'), handled: ['MADE'] });
  const key: DeclaredKey = { types: { MADE: ['seat_id'], SOLD: ['row_id'] } };
  expect(() => registered.register(log, { key, handled: ['MADE'] })).toThrow(
    expect.objectContaining({ code: 'DefinitionChanged', message: expect.stringContaining('raise definition to 3') }),
  );
});

test('a function serves its own definition alone: another that shares the keying may not put its own in its place', () => {
  const log = holding('MADE');
  const called: DeclaredKey = { types: { MADE: ['seat_id'], SOLD: 'function' } };
  const registered = new Registered()
    .register(EMPTY, { key: map('MADE'), handled: ['MADE'] })
    .register(log, { definition: 2, key: map('MADE'), handled: ['MADE'] })
    .register(log, { definition: 2, key: called, handled: ['MADE'] });
  const refused = expect.objectContaining({
    code: 'DefinitionChanged',
    message: expect.stringMatching(
      /function for SOLD of definition 2.*raise definition to 3, .*'seats', definition: 1 \}, \{ collection: 'seats', definition: 2 \}\]/s,
    ),
  });
  const more: DeclaredKey = { types: { ...called.types, MOVED: 'function' } };
  for (const key of [called, more]) expect(() => registered.register(log, { key, handled: ['MADE'] })).toThrow(refused);
  expect(registered.registry.keyings).toMatchObject([{ key: called, definition: 2 }]);
});
