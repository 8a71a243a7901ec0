/** What must not compile. Each line below its mark is an error; if one compiles, the type check fails. */
import { domain, event, failure, nothing, open, type } from 'tidemark';
import { memory } from 'tidemark/memory';
import { given } from 'tidemark/testing';
import * as z from 'zod';
import { buyService, market, reprice, services, users } from './market.ts';

// --- Events ---------------------------------------------------------------------------------------------------------------
// @ts-expect-error a date is not JSON
domain({ events: { A: z.object({ at: z.date() }) } });
// @ts-expect-error nor is a bigint
domain({ events: { A: type<{ amount: bigint }>() } });
// @ts-expect-error nor a map, deep inside
domain({ events: { A: type<{ deep: { list: Map<string, number>[] } }>() } });
// @ts-expect-error `type` is reserved
domain({ events: { A: z.object({ type: z.string() }) } });
// @ts-expect-error not a schema
domain({ events: { A: { id: 'string' } } });
// @ts-expect-error a former name that is an event of the domain
domain({ events: { A: type<{ a: string }>(), B: event(type<{ a: string }>(), { formerly: ['A'] }) } });
// @ts-expect-error its own name
domain({ events: { B: event(type<{ a: string }>(), { formerly: ['A', 'B'] }) } });
// @ts-expect-error a version without its upcasts
event(type<{ a: string }>(), { version: 2, formerly: ['A'] });
// @ts-expect-error neither a version nor a former name
event(type<{ a: string }>(), {});
// @ts-expect-error an upcast must give an object
event(type<{ a: string }>(), { version: 2, upcast: { 1: () => 'a' } });

// --- Collections ------------------------------------------------------------------------------------------------------------
const collection = { initial: { n: 0 }, reduce: {} };
// @ts-expect-error no event has that field
market.collection('x1', { ...collection, key: 'servise_id' });
// @ts-expect-error a number is no id
market.collection('x2', { ...collection, key: 'price' });
// @ts-expect-error a failure has a reason of its own, which is no id
domain({ events: { A: type<{ reason: string }>() } }).collection('x', { ...collection, key: 'reason' });
// @ts-expect-error no such event
market.collection('x3', { ...collection, key: { SERVICE_SOLD: 'service_id' } });
// @ts-expect-error that event has no such path
market.collection('x4', { ...collection, key: { BASKET_PAID: 'lines[].skuu' } });
// @ts-expect-error a key function gives ids
market.collection('x5', { ...collection, key: { SERVICE_BOUGHT: (e) => e.price } });
market.collection('x6', { ...collection, key: { BASKET_PAID: 'at.desk_id' } });
// @ts-expect-error a misspelt type
market.collection('x7', { key: 'service_id', initial: { n: 0 }, reduce: { SERVICE_BOUGTH: (s) => s } });
market.collection('x8', {
  key: 'service_id',
  initial: { n: 0 },
  // @ts-expect-error a misspelt field
  reduce: { SERVICE_BOUGHT: (_, e) => ({ n: e.prize }) },
});
// @ts-expect-error a state of another shape
market.collection('x9', { key: 'service_id', initial: { n: 0 }, reduce: { SERVICE_BOUGHT: () => ({ n: 'one' }) } });
// @ts-expect-error a superfluous field
market.collection('x10', { key: 'service_id', initial: { n: 0 }, reduce: { SERVICE_BOUGHT: (s) => ({ ...s, m: 1 }) } });
market.collection('x15', {
  key: 'service_id',
  initial: { n: 0 },
  // @ts-expect-error a superfluous field in one branch only
  reduce: { STATUS: (s, e) => (e.to ? s : { n: 1, m: 1 }) },
});
// @ts-expect-error a missing field
market.collection('x11', { key: 'service_id', initial: { n: 0, m: 0 }, reduce: { SERVICE_BOUGHT: () => ({ n: 1 }) } });
// @ts-expect-error the state is read-only
market.collection('x12', { key: 'service_id', initial: { n: 0 }, reduce: { SERVICE_BOUGHT: (s) => ((s.n += 1), s) } });
// @ts-expect-error a state that JSON can't hold
market.collection('x13', { key: 'service_id', initial: { at: new Date() }, reduce: {} });
market.collection('x14', {
  key: 'service_id',
  initial: { n: 0 },
  // @ts-expect-error a reducer knows neither position nor version
  reduce: { SERVICE_BOUGHT: (_, _e, meta) => ({ n: meta.position }) },
});

// A reducer that would never run: the key attaches nothing of its type.
market.collection('x16', {
  key: { SERVICE_CREATED: 'service_id' },
  initial: { n: 0 },
  // @ts-expect-error not in the map
  reduce: { SERVICE_CREATED: (s) => s, SERVICE_BOUGHT: (s) => s },
});
// @ts-expect-error no such field in its events
market.collection('x17', { key: 'service_id', initial: { n: 0 }, reduce: { USER_REGISTERED: (s) => s } });
// @ts-expect-error nor any of several
market.collection('x18', { key: ['user_id', 'buyer_id'], initial: { n: 0 }, reduce: { PRICE_CHANGED: (s) => s } });
market.collection('x19', { key: ['user_id', 'buyer_id'], initial: { n: 0 }, reduce: { SERVICE_BOUGHT: (s) => s } });
market.collection('x20', { key: { STATUS: () => 's' }, initial: { n: 0 }, reduce: { STATUS: (s) => s } });

// Indexes: paths of the state, to values that can be ordered.
interface Offer {
  price: number;
  seller_id: string | null;
  sold?: boolean;
  tags: string[];
  either: string | string[];
  address: { city: string; at: { x: number; list: { y: number }[] } };
  counts: Record<string, number>;
  'a.b': string;
  $c: string;
}
const offer = { key: 'service_id', initial: (): Offer => ({}) as Offer, reduce: {} } as const;
market.collection('i1', {
  ...offer,
  indexes: ['price', ['seller_id', 'price'], 'sold', 'address.city', ['address.at.x']],
});
market.collection('i2', { ...offer, indexes: ['either', 'counts.cups'] });
// @ts-expect-error not in the state
market.collection('i3', { ...offer, indexes: ['prize'] });
// @ts-expect-error nor is one of several
market.collection('i4', { ...offer, indexes: ['price', ['seller_id', 'prize']] });
// @ts-expect-error not in the state, deep inside
market.collection('i5', { ...offer, indexes: ['address.town'] });
// @ts-expect-error an array has no order
market.collection('i6', { ...offer, indexes: ['tags'] });
// @ts-expect-error no path leads into an array
market.collection('i7', { ...offer, indexes: ['address.at.list.y'] });
// @ts-expect-error nor to its length
market.collection('i8', { ...offer, indexes: ['tags.length'] });
// @ts-expect-error an object has no order
market.collection('i9', { ...offer, indexes: ['address'] });
// @ts-expect-error a field with a dot can't be addressed
market.collection('i10', { ...offer, indexes: ['a.b'] });
// @ts-expect-error nor one that begins with $
market.collection('i11', { ...offer, indexes: ['$c'] });
// @ts-expect-error a single text
market.collection('i12', { ...offer, indexes: 'price' });
market.collection('i13', {
  key: 'service_id',
  initial: { status: 'none', at: { day: '' } } as
    { status: 'none'; at: { day: string } } | { status: 'sold'; by: string },
  reduce: { SERVICE_BOUGHT: (_, { buyer_id }) => ({ status: 'sold', by: buyer_id }) },
  indexes: ['status', 'by', 'at.day'],
});
market.collection('i14', {
  key: 'service_id',
  initial: { n: 0 },
  reduce: { SERVICE_BOUGHT: ({ n }) => ({ n: n + 1 }) },
  indexes: ['n'],
});
// @ts-expect-error the state has no fields
market.collection('i15', { key: 'service_id', initial: 0, reduce: {}, indexes: ['n'] });

// --- Commands ---------------------------------------------------------------------------------------------------------------
const id = z.object({ service_id: z.string() });
// @ts-expect-error no such event
market.command('C1', { input: id, decide: (_, input) => ({ type: 'SERVICE_SOLD', ...input }) });
// @ts-expect-error a missing field
market.command('C2', { input: id, decide: (_, input) => ({ type: 'SERVICE_BOUGHT', ...input }) });
// @ts-expect-error a field of another type
market.command('C3', { input: id, decide: (_, i) => ({ type: 'SERVICE_BOUGHT', ...i, buyer_id: 'b', price: '5' }) });
// @ts-expect-error decide is synchronous
market.command('C4', { input: id, decide: async () => failure('NO') });
// @ts-expect-error decide must return something
market.command('C5', { input: id, decide: () => undefined });
// @ts-expect-error a document that isn't read
market.command('C6', { input: id, reads: (i) => ({ s: services.ref(i.service_id) }), decide: ({ t }) => failure(t) });
market.command('C7', {
  input: id,
  reads: (i) => ({ s: services.ref(i.service_id) }),
  // @ts-expect-error a decision doesn't see the version
  decide: ({ s }) => failure(`V${s.version}`),
});
// @ts-expect-error failures would be taken for the event LOGIN_FAILED, which nobody named
market.command('LOGIN', { input: z.object({ user_id: z.string() }), decide: () => failure('LOCKED') });
market.command('LOGIN', {
  input: z.object({ user_id: z.string() }),
  decide: () => failure('LOCKED'),
  failureType: 'LOGIN_FAILED',
});
market.command('C8', {
  input: z.object({ user_id: z.string() }),
  // @ts-expect-error a reason that LOGIN_FAILED doesn't declare
  decide: () => failure('OOPS'),
  failureType: 'LOGIN_FAILED',
});
// @ts-expect-error an event without a reason can't be a failure's
market.command('C11', { input: id, decide: () => failure('NO'), failureType: 'SERVICE_BOUGHT' });
market.command('C12', { input: id, decide: () => failure('NO'), failureType: 'REFUSED' });
market.command('C15', { input: id, decide: (_, { service_id }) => (service_id === 's' ? nothing() : failure('NO')) });
// @ts-expect-error no clock in the context but `time`
market.command('C9', { input: id, decide: (_, _i, context) => failure(context.now()) });

// @ts-expect-error an input that JSON can't hold
market.command('C10', { input: z.object({ at: z.date() }), decide: () => failure('NO') });
// @ts-expect-error details that JSON can't hold
failure('LATE', { at: new Date() });

// --- The application ----------------------------------------------------------------------------------------------------------
// @ts-expect-error a store must be asked for by name
await open({ collections: [users], commands: [buyService] });
const app = await open({ store: memory(), collections: [users, services], commands: [buyService] });
const empty = market.command('C13', { input: id, decide: () => [] });
// @ts-expect-error nothing() says that there is nothing to do
await open({ store: memory(), collections: [], commands: [empty] });
const sometimes = market.command('C14', {
  input: id,
  decide: (_, { service_id }) => (service_id === 's' ? [] : failure('NO')),
});
// @ts-expect-error also in one branch
given([services]).when(sometimes, { service_id: 's' });
const several = market.command('C16', {
  input: z.object({ ids: z.array(z.string()) }),
  decide: (_, { ids }) => [...ids].map((user_id) => ({ type: 'LOGIN_FAILED', user_id, reason: 'LOCKED' }) as const),
});
await open({ store: memory(), collections: [], commands: [several] });
// @ts-expect-error not among the commands
await app.execute(reprice, { basket_id: 'b', factor: 2 });
// @ts-expect-error a missing field
await app.execute(buyService, { service_id: 's1' });
// @ts-expect-error a field of another type
await app.execute(buyService, { service_id: 's1', buyer_id: 7 });
// @ts-expect-error an id is a string
await app.get(users, 7);
const half = await open({ store: memory(), collections: [services], commands: [] });
// @ts-expect-error not among the collections
await half.get(users, 'u1');

// --- Keys that would make events invalid ------------------------------------------------------------------------------
const mixed = domain({ events: { A: type<{ ref: string }>(), B: type<{ ref: number; b_id: string }>() } });
// @ts-expect-error an id in A, but a number in B
mixed.collection('x1', { key: 'ref', initial: {}, reduce: {} });
mixed.collection('x2', { key: { A: 'ref', B: 'b_id' }, initial: {}, reduce: {} });
