/** Queries: what must compile, and below each mark what must not. */
import type { OrderBy, PathOf, Where } from '../../src/engine/queries/where-types.ts';
import type { Finding } from '../../src/engine/queries/finding.ts';
import { counts, orders, services, users, type Order, type Service } from './market.ts';

interface Shop {
  name: string;
  price: number;
  open: boolean;
  rating: number | null;
  kind: 'food' | 'tools';
  address?: { city: string; geo: { lat: number; deep: { deeper: { deepest: string } } } };
  tags: string[];
  lines: { sku: string }[];
  extra: Record<string, number>;
  parent?: Shop;
  mixed: string | number | { inner: boolean };
  'dotted.name': string;
  $own: number;
  anything: unknown;
  NOT: string;
}

declare function where<State>(...given: Where<State>[]): void;
declare function order<State>(...given: OrderBy<State>[]): void;
declare function path<State>(...given: PathOf<State>[]): void;

// --- What is asked of fields ------------------------------------------------------------------------------------------------
where<Shop>(
  {},
  { name: 'a', price: { gte: 5, lt: 10 }, open: true, rating: null },
  { kind: { in: ['food', 'tools'] }, 'address.city': { startsWith: 'Par' } },
  { OR: [{ price: 0 }, { tags: { has: 'new' } }], NOT: { AND: [] } },
  { $id: { in: ['a'] }, $version: { gt: 3 }, $changed: 2 },
  { 'address.geo.lat': { lte: 1.5 }, address: { exists: false }, rating: { ne: null, lt: 3 } },
  { 'address.geo.deep.deeper.deepest': 'untyped from here' },
  { 'extra.first': 5, 'parent.parent.name': 'x', mixed: 'x' },
  { mixed: { startsWith: 'x', gt: 5 }, 'mixed.inner': false, anything: { has: 1 }, lines: { exists: true } },
  { name: { gt: 'a', ne: 'b', in: [] } },
);
// @ts-expect-error no field of that name
where<Shop>({ prize: 5 });
// @ts-expect-error nor within another
where<Shop>({ 'address.town': 'x' });
// @ts-expect-error nor in an array
where<Shop>({ 'lines.sku': 'x' });
// @ts-expect-error a text isn't a number
where<Shop>({ price: 'x' });
// @ts-expect-error nor in a list
where<Shop>({ price: { in: ['x'] } });
// @ts-expect-error a number doesn't start with anything
where<Shop>({ price: { startsWith: '5' } });
// @ts-expect-error booleans have no order
where<Shop>({ open: { lt: true } });
// @ts-expect-error only arrays have values
where<Shop>({ name: { has: 'a' } });
// @ts-expect-error the array holds texts
where<Shop>({ tags: { has: 5 } });
// @ts-expect-error not one of the values
where<Shop>({ kind: 'toys' });
// @ts-expect-error never null
where<Shop>({ price: null });
// @ts-expect-error no operator
where<Shop>({ price: { equals: 5 } });
// @ts-expect-error undefined says nothing
where<Shop>({ price: undefined });
// @ts-expect-error nor within an operator
where<Shop>({ price: { gte: undefined } });
// @ts-expect-error objects have no value to compare
where<Shop>({ address: { eq: { city: 'x' } } });
// @ts-expect-error a field with a dot can't be addressed
where<Shop>({ 'dotted.name': 'x' });
// @ts-expect-error nor one with a leading $
where<Shop>({ $own: 1 });
// @ts-expect-error nor one that is a word of queries
where<Shop>({ NOT: 'x' });
// @ts-expect-error several in an array
where<Shop>({ OR: { price: 1 } });
// @ts-expect-error one, not in an array
where<Shop>({ NOT: [{ price: 1 }] });
// @ts-expect-error a version is a number
where<Shop>({ $version: 'x' });

// --- States of several shapes, and of unknown ones ----------------------------------------------------------------------------
where<Order>({ status: 'placed' }, { by: 'ann' }, { lines: { has: 'x' } }, { status: { in: ['empty', 'sent'] } });
// @ts-expect-error no shape has that
where<Order>({ buyer: 'ann' });
// @ts-expect-error no shape has that value
where<Order>({ status: 'lost' });
where<Service>({ why: 'late' }, { why: { exists: false } });
where<any>({ anything: 5 }, { OR: [{ 'a.b': { startsWith: 'x' } }], NOT: { x: null } }); // eslint-disable-line typescript/no-explicit-any
where<Record<string, number>>({ x: 5 }, { AND: [{ y: { lt: 5 } }] });
where<number>({ $id: 'a' }, { AND: [] });
// @ts-expect-error a number has no fields
where<number>({ x: 5 });

// --- Order ----------------------------------------------------------------------------------------------------------------------
order<Shop>([], [{ price: 'asc' }], [{ 'address.city': 'desc' }, { $id: 'asc' }], [{ $version: 'desc' }]);
order<Order>([{ by: 'asc' }]);
// @ts-expect-error no field of that name
order<Shop>([{ prize: 'asc' }]);
// @ts-expect-error no direction
order<Shop>([{ price: 'up' }]);
// @ts-expect-error several in an array
order<Shop>({ price: 'asc' });
path<Shop>('name', 'address', 'address.city', 'address.geo.lat', 'extra', 'extra.any', 'parent.parent.name');
// @ts-expect-error no path
path<Shop>('address.street');

// --- In an application ----------------------------------------------------------------------------------------------------------
declare const app: Finding<typeof services | typeof users | typeof orders | typeof counts>;

const page = await app.find(services, {
  where: { status: 'open', quantity: { gt: 0 } },
  orderBy: [{ quantity: 'desc' }],
});
page.documents[0]!.state.tags satisfies readonly string[];
await app.find(services, { after: page.next, limit: 5, fresh: 10 });
(await app.count(users, { where: { spent: { gte: 5 } }, fresh: false })) satisfies number;
for await (const { state } of app.list(users)) state.name satisfies string;
for await (const { documents } of app.watch(orders, { where: { by: 'ann' } }, { signal: AbortSignal.timeout(5) }))
  documents[0]!.state.status satisfies string;
for await (const { version, state } of app.watch(counts, 'c1')) (version + state) satisfies number;
await app.find(counts);

// @ts-expect-error no field of that name
await app.find(services, { where: { prize: 5 } });
// @ts-expect-error nor in an order
await app.find(services, { orderBy: [{ prize: 'asc' }] });
// @ts-expect-error any text isn't a cursor
await app.find(services, { after: 'x' });
// @ts-expect-error not an option
await app.find(services, { offset: 5 });
// @ts-expect-error counting has no order
await app.count(services, { orderBy: [{ quantity: 'asc' }] });
// @ts-expect-error a watcher has no place to begin
app.watch(services, { after: page.next });
// @ts-expect-error states are frozen
page.documents[0]!.state.tags.push('x');
