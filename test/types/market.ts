/** The domain that the type tests are about. */
import { all, domain, event, failure, nothing, type } from 'tidemark';
import * as z from 'zod';

export const market = domain({
  events: {
    USER_REGISTERED: z.object({ user_id: z.string(), name: z.string(), vip: z.boolean().default(false) }),
    SERVICE_CREATED: z.object({ service_id: z.string(), seller_id: z.string(), price: z.int(), quantity: z.int() }),
    SERVICE_BOUGHT: z.object({ service_id: z.string(), buyer_id: z.string(), price: z.int() }),
    BASKET_PAID: type<{ basket_id: string; lines: { sku: string; qty: number }[]; at?: { desk_id: string } }>(),
    PRICE_CHANGED: event(type<{ sku: string; cents: number }>(), {
      version: 2,
      upcast: { 1: ({ sku, price }) => ({ sku, cents: price * 100 }) },
    }),
    STATUS: z.discriminatedUnion('to', [
      z.object({ service_id: z.string(), to: z.literal('closed'), why: z.string() }),
      z.object({ service_id: z.string(), to: z.literal('open') }),
    ]),
    REVIEWED: event(z.object({ service_id: z.string(), stars: z.int().default(3) }), {
      formerly: ['RATED', 'STARRED'],
    }),
    LOGIN_FAILED: z.object({ user_id: z.string(), reason: z.enum(['WRONG_PIN', 'LOCKED']) }),
  },
});

export interface Service {
  status: 'none' | 'open' | 'closed';
  why?: string;
  quantity: number;
  tags: string[];
}

export const services = market.collection('services', {
  key: 'service_id',
  initial: (): Service => ({ status: 'none', quantity: 0, tags: [] }),
  reduce: {
    SERVICE_CREATED: (service, { quantity }) => ({ ...service, status: 'open', quantity }),
    SERVICE_BOUGHT: (service) => ({ ...service, quantity: service.quantity - 1 }),
    STATUS: (service, e) =>
      e.to === 'closed' ? { ...service, status: e.to, why: e.why } : { ...service, status: 'open' },
  },
});

export const users = market.collection('users', {
  key: ['user_id', 'buyer_id', 'seller_id'],
  initial: { name: '', spent: 0 },
  reduce: {
    USER_REGISTERED: (user, { name }) => ({ ...user, name }),
    SERVICE_BOUGHT: (user, e, { id, time }) =>
      e.buyer_id === id && time > 0 ? { ...user, spent: user.spent + e.price } : user,
  },
});

export const items = market.collection('items', {
  key: {
    PRICE_CHANGED: 'sku',
    BASKET_PAID: ['lines[].sku'],
    STATUS: (e) => (e.to === 'open' ? e.service_id : undefined),
  },
  initial: { cents: 0, sold: 0 },
  reduce: {
    PRICE_CHANGED: (item, { cents }) => ({ ...item, cents }),
    BASKET_PAID: (item, { lines }, { id }) => ({
      ...item,
      sold: item.sold + (lines.find((line) => line.sku === id)?.qty ?? 0),
    }),
  },
});

export const buyService = market.command('BUY_SERVICE', {
  input: z.object({ service_id: z.string(), buyer_id: z.string() }),
  reads: (input) => ({ service: services.ref(input.service_id) }),
  decide: ({ service }, input) =>
    !service.exists
      ? failure('UNKNOWN_SERVICE')
      : service.state.quantity < 1
        ? failure('SOLD_OUT', { left: service.state.quantity })
        : { type: 'SERVICE_BOUGHT', ...input, price: 5 },
});

export const reprice = market.command('REPRICE', {
  input: z.object({ basket_id: z.string(), factor: z.coerce.number() }),
  prepare: async (input, { id, actor, signal }) => ({ rate: input.factor, who: actor ?? id, late: signal.aborted }),
  *reads(input) {
    const service = yield* services.ref(input.basket_id);
    const priced = yield* all(service.state.tags.map((tag) => items.ref(tag)));
    return { service, priced };
  },
  decide: ({ priced }, _, { prepared, newId }) =>
    priced.map((item) => ({ type: 'PRICE_CHANGED', sku: newId() + item.id, cents: item.state.cents * prepared.rate })),
});

export const confirm = market.command('CONFIRM', {
  input: z.object({ service_id: z.string() }),
  reads: ({ service_id }) => ({ service: services.ref(service_id) }),
  decide: ({ service }, { service_id }) =>
    service.exists ? nothing() : { type: 'SERVICE_BOUGHT', service_id, buyer_id: 'b', price: 1 },
});

/** Shapes that are only partly known are events too. */
export const loose = domain({
  events: {
    ANY: type<any>(), // eslint-disable-line typescript/no-explicit-any
    LOOSE: z.looseObject({ thing_id: z.string() }),
    RECORD: z.record(z.string(), z.json()),
  },
});

/** States of several shapes, one of which each reducer gives; and one that can only throw. */
export type Order = { status: 'empty' } | { status: 'placed'; lines: string[] } | { status: 'sent'; by: string };
export const orders = market.collection('orders', {
  key: { BASKET_PAID: 'basket_id', STATUS: 'service_id' },
  initial: (): Order => ({ status: 'empty' }),
  reduce: {
    BASKET_PAID: (order, { lines }) =>
      order.status === 'empty' ? { status: 'placed', lines: lines.map(({ sku }) => sku) } : { status: 'sent', by: 'x' },
    STATUS: () => {
      throw new Error('never attached in earnest');
    },
  },
});
export const counts = market.collection('counts', {
  key: 'service_id',
  initial: 0,
  reduce: { SERVICE_BOUGHT: (count) => count + 1 },
});
