/** The domain that most tests run: a marketplace with single places. */
import { domain, failure } from 'tidemark';
import * as z from 'zod';

export const market = domain({
  events: {
    USER_REGISTERED: z.object({ user_id: z.string(), name: z.string() }),
    SERVICE_CREATED: z.object({
      service_id: z.string(),
      seller_id: z.string(),
      title: z.string(),
      price: z.int(),
      quantity: z.int(),
    }),
    SERVICE_BOUGHT: z.object({ service_id: z.string(), buyer_id: z.string(), seller_id: z.string(), price: z.int() }),
    SERVICE_VIEWED: z.object({ service_id: z.string() }),
  },
});

export const users = market.collection('users', {
  key: ['user_id', 'buyer_id', 'seller_id'],
  initial: { name: '', spent: 0, earned: 0 },
  reduce: {
    USER_REGISTERED: (user, { name }) => ({ ...user, name }),
    SERVICE_BOUGHT: (user, { buyer_id, seller_id, price }, { id }) => ({
      ...user,
      spent: user.spent + (buyer_id === id ? price : 0),
      earned: user.earned + (seller_id === id ? price : 0),
    }),
  },
});

export const services = market.collection('services', {
  key: 'service_id',
  initial: { seller: '', price: 0, quantity: 0 },
  reduce: {
    SERVICE_CREATED: (_, { seller_id, price, quantity }) => ({ seller: seller_id, price, quantity }),
    SERVICE_BOUGHT: (service) => ({ ...service, quantity: service.quantity - 1 }),
  },
});

export const createService = market.command('CREATE_SERVICE', {
  input: z.object({
    service_id: z.string(),
    seller_id: z.string().default('ann'),
    quantity: z.int().default(1),
    title: z.string().default('Seat'),
  }),
  reads: (input) => ({ service: services.ref(input.service_id) }),
  decide: ({ service }, input) =>
    service.exists ? failure('EXISTS') : { type: 'SERVICE_CREATED', ...input, price: 5 },
});

export const buyService = market.command('BUY_SERVICE', {
  input: z.object({ service_id: z.string(), buyer_id: z.string() }),
  reads: (input) => ({ service: services.ref(input.service_id) }),
  decide: ({ service }, input) =>
    !service.exists
      ? failure('UNKNOWN_SERVICE')
      : service.state.quantity < 1
        ? failure('SOLD_OUT', { left: service.state.quantity })
        : { type: 'SERVICE_BOUGHT', ...input, seller_id: service.state.seller, price: service.state.price },
});

/** Attaches an event that no reducer handles, and reads nothing. */
export const viewService = market.command('VIEW_SERVICE', {
  input: z.object({ service_id: z.string() }),
  decide: (_, input) => ({ type: 'SERVICE_VIEWED', ...input }),
});

export const parts = {
  collections: [users, services],
  commands: [createService, buyService, viewService],
} as const;
