/** Queries over stored documents: what they find, in which order, and what they refuse. */
import { InvalidInput } from 'tidemark';
import { memory } from 'tidemark/memory';
import { expect, test } from 'vitest';
import type { Document } from '../../src/engine/reading/document.ts';
import type { Page } from '../../src/engine/queries/asked.ts';
import { StoredDocuments } from '../support/stored-documents.ts';
import { collect } from '../support/stores.ts';

const SERVICES = [
  { id: 's1', state: { seller_id: 'ann', price: 5, address: { city: 'Paris' }, tags: ['new'] } },
  { id: 's2', state: { seller_id: 'ann', price: 9, address: { city: 'Parma' }, tags: [] } },
  { id: 's3', state: { seller_id: 'bob', price: 7, address: { city: 'Rome' }, tags: ['new', 'hot'] } },
  { id: 's4', state: { seller_id: 'ann', price: null, tags: [null] } },
  { id: 's5', state: { seller_id: 'ann', address: ['Paris'] } },
  { id: 's6', state: { seller_id: 'bob', price: '5', address: { city: 'Paris' } } },
];
const INDEXES = [['price'], ['seller_id', 'price']];

async function services(indexes = INDEXES): Promise<StoredDocuments> {
  const stored = await StoredDocuments.on(memory(), indexes);
  await stored.put(SERVICES);
  return stored;
}

const idsOf = ({ documents }: Page<unknown>): string[] => documents.map(({ id }) => id);

test.each([
  ['a value', { price: 5 }, ['s1']],
  ['a text isn’t a number', { price: '5' }, ['s6']],
  ['null isn’t missing', { price: null }, ['s4']],
  ['what is missing', { price: { exists: false } }, ['s5']],
  ['what is there', { price: { exists: true } }, ['s1', 's2', 's3', 's4', 's6']],
  ['not this value, or none', { price: { ne: 5 } }, ['s2', 's3', 's4', 's5', 's6']],
  ['a range within one type', { price: { gte: 5, lt: 9 } }, ['s1', 's3']],
  ['a range of texts', { price: { gt: '' } }, ['s6']],
  ['two types at once', { price: { gt: 1, lt: 'z' } }, []],
  ['some values', { price: { in: [9, '5', null, 9] } }, ['s2', 's4', 's6']],
  ['none of no values', { price: { in: [] } }, []],
  ['all of what isn’t there', { NOT: { price: { gte: 6 } } }, ['s1', 's4', 's5', 's6']],
  ['a nested field, not in arrays', { 'address.city': { startsWith: 'Par' } }, ['s1', 's2', 's6']],
  ['an item', { tags: { has: 'new' } }, ['s1', 's3']],
  ['null as an item', { tags: { has: null } }, ['s4']],
  ['one or the other', { OR: [{ price: 9 }, { tags: { has: 'hot' } }] }, ['s2', 's3']],
  ['one of none', { OR: [] }, []],
  ['all of none', { AND: [] }, ['s1', 's2', 's3', 's4', 's5', 's6']],
  ['the id', { $id: { gt: 's2', lte: 's4' } }, ['s3', 's4']],
  ['some ids', { $id: { in: ['s6', 's1', 'x'] } }, ['s1', 's6']],
  ['version and change', { $version: 1, $changed: { lt: 2 }, seller_id: 'bob' }, ['s3', 's6']],
  ['several', { seller_id: 'ann', price: { gt: 4 }, AND: [{ NOT: { $id: 's1' } }] }, ['s2']],
  ['a field of a string', { 'seller_id.length': 3 }, []],
])('finds %s', async (_, where, ids) => {
  for (const stored of [await services(), await services([])]) {
    // A field of another kind, so that every path is known.
    await stored.put([{ id: 'z', state: { seller_id: { length: 1 } }, version: 99 }]);
    const query = { where: { AND: [where, { $version: { lt: 99 } }] } };
    expect(idsOf(await stored.queries.find(stored.collection, query))).toEqual(ids);
    expect(await stored.queries.count(stored.collection, query)).toBe(ids.length);
    const listed = await collect(stored.queries.list(stored.collection, query));
    expect(listed.map(({ id }) => id)).toEqual(ids);
  }
});

test('the order is by kind, then by value; ties follow the id in the last direction', async () => {
  for (const stored of [await services(), await services([])]) {
    const find = async (orderBy: object[]): Promise<string[]> =>
      idsOf(await stored.queries.find(stored.collection, { orderBy }));
    expect(await find([{ price: 'asc' }])).toEqual(['s5', 's4', 's1', 's3', 's2', 's6']);
    expect(await find([{ price: 'desc' }])).toEqual(['s6', 's2', 's3', 's1', 's4', 's5']);
    expect(await find([{ seller_id: 'asc' }, { price: 'desc' }])).toEqual(['s2', 's1', 's4', 's5', 's6', 's3']);
    expect(await find([{ seller_id: 'desc' }])).toEqual(['s6', 's3', 's5', 's4', 's2', 's1']);
    expect(await find([{ $id: 'desc' }, { price: 'asc' }])).toEqual(['s6', 's5', 's4', 's3', 's2', 's1']);
    expect(await find([{ 'address.city': 'asc' }, { $id: 'desc' }])).toEqual(['s5', 's4', 's6', 's1', 's2', 's3']);
  }
});

test('documents are frozen, and only those that exist and could be folded are found', async () => {
  const stored = await services();
  await stored.put([
    { id: 'u1', state: { price: 1 }, version: 3, changed: 0 },
    { id: 'u2', state: { price: 1 }, failed: 'a reducer threw' },
  ]);
  const { documents, position, next } = await stored.queries.find(stored.collection, { where: { price: { lt: 6 } } });
  expect(documents).toEqual([
    {
      collection: 'things',
      definition: 1,
      id: 's1',
      version: 1,
      changed: 1,
      exists: true,
      state: SERVICES[0]!.state,
    },
  ]);
  expect([position, next]).toEqual([2, undefined]);
  const [document] = documents as readonly Document<{ tags: string[] }>[];
  expect(() => void (document!.state.tags as string[]).push('x')).toThrow(TypeError);
  expect(Object.isFrozen(documents)).toBe(true);
});

test.each<[string, unknown, string]>([
  ['an unknown operator', { where: { price: { gret: 5 } } }, 'where.price'],
  ['undefined', { where: { price: undefined } }, 'where.price'],
  ['undefined in an operator', { where: { price: { gte: undefined } } }, 'where.price.gte'],
  ['undefined in a list', { where: { OR: [{ price: { in: [1, undefined] } }] } }, 'where.OR[0].price.in[1]'],
  ['a hole', { where: { AND: Array.from({ length: 1 }) } }, 'where.AND[0]'],
  ['no operator', { where: { price: {} } }, 'where.price'],
  ['an array', { where: { price: [5] } }, 'where.price'],
  ['an object to compare with', { where: { price: { eq: {} } } }, 'where.price.eq'],
  ['a boolean in an order', { where: { price: { lt: true } } }, 'where.price.lt'],
  ['a number that starts a text', { where: { price: { startsWith: 5 } } }, 'where.price.startsWith'],
  ['a text for a boolean', { where: { price: { exists: 'no' } } }, 'where.price.exists'],
  ['NaN', { where: { price: NaN } }, 'where.price'],
  ['a date', { where: { price: new Date() } }, 'where.price'],
  ['a bigint', { where: { price: 5n } }, 'where.price'],
  ['a lone surrogate', { where: { price: '\ud800' } }, 'where.price'],
  ['a NUL', { where: { 'pri\0ce': 1 } }, 'where.pri\0ce'],
  ['an empty part of a path', { where: { 'a..b': 1 } }, 'where.a..b'],
  ['a part with a leading $', { where: { 'a.$b': 1 } }, 'where.a.$b'],
  ['an unknown fact', { where: { $size: 1 } }, 'where.$size'],
  ['a text for the version', { where: { $version: 'x' } }, 'where.$version'],
  ['an item of the id', { where: { $id: { has: 'x' } } }, 'where.$id.has'],
  ['an object for several', { where: { OR: { price: 1 } } }, 'where.OR'],
  ['several for one', { where: { NOT: [{ price: 1 }] } }, 'where.NOT'],
  ['no object', { where: 'price' }, 'where'],
  ['null', { where: null }, 'where'],
  ['a map', { where: new Map() }, 'where'],
  ['too many conditions', { where: { OR: Array.from({ length: 1_001 }, () => ({ price: 1 })) } }, 'where.OR'],
  ['too many values', { where: { price: { in: Array.from({ length: 1_001 }, () => 1) } } }, 'where.price.in'],
  ['too deep a query', { where: nested(11) }, `where${'.NOT'.repeat(11)}`],
  ['an order that is none', { orderBy: { price: 'asc' } }, 'orderBy'],
  ['a direction that is none', { orderBy: [{ price: 'up' }] }, 'orderBy[0].price'],
  ['two fields at once', { orderBy: [{ price: 'asc', tags: 'asc' }] }, 'orderBy[0]'],
  ['no field', { orderBy: [{}] }, 'orderBy[0]'],
  ['a field twice', { orderBy: [{ price: 'asc' }, { price: 'desc' }] }, 'orderBy[1]'],
  ['a negative limit', { limit: -1 }, 'limit'],
  ['a limit of 0', { limit: 0 }, 'limit'],
  ['too high a limit', { limit: 1_001 }, 'limit'],
  ['a cursor that is none', { after: 'x' }, 'after'],
  ['a cursor of another type', { after: 5 }, 'after'],
  ['a freshness that is none', { fresh: 'yes' }, 'fresh'],
  ['a negative position', { fresh: -1 }, 'fresh'],
  ['a signal that is none', { signal: {} }, 'signal'],
  ['an unknown option', { were: {} }, 'were'],
])('refuses %s', async (_, options, path) => {
  const stored = await services();
  const error = await Promise.resolve()
    .then(() => stored.queries.find(stored.collection, options))
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'InvalidInput', details: { path } });
});

function nested(levels: number): object {
  return levels === 0 ? { price: 1 } : { NOT: nested(levels - 1) };
}

test('a query that can’t be read is refused with the error as cause', async () => {
  const stored = await services();
  const where = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error('no');
      },
    },
  );
  const error = await stored.queries.find(stored.collection, { where }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'InvalidInput', cause: { message: 'no' } });
  await stored.queries.find(stored.collection, { where: nested(10) });
});

test('a cursor belongs to one query', async () => {
  const stored = await services();
  const query = { where: { seller_id: 'ann' }, orderBy: [{ price: 'asc' }], limit: 1 };
  const { next } = await stored.queries.find(stored.collection, query);
  const refused = [
    { ...query, where: { seller_id: 'bob' } },
    { ...query, where: undefined },
    { ...query, orderBy: [{ price: 'desc' }] },
    { ...query, orderBy: undefined },
  ];
  for (const other of refused) {
    const error = await stored.queries
      .find(stored.collection, { ...other, after: next })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'InvalidInput',
      details: { path: 'after' },
      message: expect.stringContaining('another query'),
    });
  }
  const elsewhere = { ...stored.collection, name: 'others' };
  await expect(stored.queries.find(elsewhere, { ...query, after: next })).rejects.toThrow('another query');
  for (const broken of [next!.slice(1), `${next}A`, `${next!.slice(0, -4)}`, '!', 'a'.repeat(100_000)])
    await expect(stored.queries.find(stored.collection, { ...query, after: broken })).rejects.toThrow(InvalidInput);
  expect(idsOf(await stored.queries.find(stored.collection, { ...query, limit: 9, after: next }))).toEqual([
    's4',
    's1',
    's2',
  ]);
});

test('a cursor of an earlier release still works', async () => {
  const stored = await services();
  const query = { where: { seller_id: { in: ['ann', 'bob'] }, price: { exists: true } }, orderBy: [{ price: 'asc' }] };
  const { next } = await stored.queries.find(stored.collection, { ...query, limit: 2 });
  expect(next).toBe('WzEsIjZjZGQzODQ1MjhjYjFjNDUiLCJzMSIsNV0');
});

test('a field that nothing has is refused, one that some document has is found', async () => {
  const stored = await StoredDocuments.on(memory(), [['seller_id'], ['later.on']], {
    price: 0,
    address: { city: '' },
    note: null,
  });
  const { queries, collection } = stored;
  const refusal = async (options: object): Promise<unknown> =>
    queries.find(collection, options).catch((thrown: unknown) => thrown);
  for (const where of [
    { price: 1 },
    { address: { exists: true } },
    { 'address.city': 'x' },
    { seller_id: 'ann' },
    { later: null },
    { 'later.on': 1 },
    { 'note.text': 'x' },
  ])
    expect(await refusal({ where })).toMatchObject({ documents: [] });
  expect(await refusal({ where: { OR: [{ prize: 1 }] } })).toMatchObject({
    code: 'InvalidInput',
    details: { path: 'where.OR[0].prize', collection: 'things' },
    message: expect.stringContaining('did you mean price?'),
  });
  expect(await refusal({ where: { 'address.town': 'x' } })).toMatchObject({ details: { path: 'where.address.town' } });
  expect(await refusal({ orderBy: [{ why: 'asc' }] })).toMatchObject({ details: { path: 'orderBy[0].why' } });
  await expect(queries.count(collection, { where: { prize: 1 } })).rejects.toThrow(InvalidInput);
  await expect(queries.list(collection, { where: { prize: 1 } }).next()).rejects.toThrow(InvalidInput);
  await expect(queries.watch(collection, { where: { prize: 1 } }, {}).next()).rejects.toThrow(InvalidInput);

  await stored.put([
    { id: 'a', state: { price: 1, why: 'x' } },
    { id: 'b', state: { price: 2 } },
  ]);
  expect(await refusal({ where: { why: { ne: 'x' } } })).toMatchObject({ documents: [{ id: 'b' }] });
  // Once a document had it, it is known.
  await stored.put([{ id: 'a', state: { price: 1 } }]);
  expect(await refusal({ where: { why: 'x' } })).toMatchObject({ documents: [] });
  expect(await refusal({ where: { prize: 1 } })).toMatchObject({ code: 'InvalidInput' });
});

test('a query sees what this application has been told of, or a position, or what is there', async () => {
  const stored = await services();
  const count = (fresh?: boolean | number): Promise<number> => stored.queries.count(stored.collection, { fresh });
  stored.told = 2;
  const told = count();
  const later = count(3);
  expect(await count(false)).toBe(6);
  expect(await count(1)).toBe(6);
  await stored.put([{ id: 's7', state: {} }]);
  expect(await told).toBe(7);
  await stored.put([{ id: 's8', state: {} }]);
  expect(await later).toBe(8);
  const given = new AbortController();
  const never = stored.queries.find(stored.collection, { fresh: 99, signal: given.signal });
  given.abort(new Error('enough'));
  await expect(never).rejects.toThrow('enough');
  expect(stored.waiting).toBe(0);
});

test('queries that no index serves are counted by their shape', async () => {
  const stored = await services();
  const { queries, collection } = stored;
  for (const city of ['Rome', 'Paris'])
    await queries.find(collection, { where: { 'address.city': city }, orderBy: [{ price: 'desc' }] });
  await queries.count(collection, { where: { OR: [{ price: 1 }, { price: 2 }], NOT: { tags: { has: 'x' } } } });
  for (const served of [{}, { where: { price: 5 } }, { orderBy: [{ price: 'asc' }] }, { where: { $id: 's1' } }])
    await queries.find(collection, served);
  expect(queries.unserved().map(({ where, orderBy, times }) => ({ where, orderBy, times }))).toEqual(
    expect.arrayContaining([
      { where: 'address.city eq', orderBy: 'price desc', times: 2 },
      { where: '(price eq) AND NOT (tags has)', orderBy: '', times: 1 },
    ]),
  );
  for (let n = 0; n < 300; n += 1)
    await queries.count(collection, { where: { [`price.p${n}`]: { ne: 1 } } }).catch(() => undefined);
  expect(queries.unserved().length).toBeLessThanOrEqual(100);
});
