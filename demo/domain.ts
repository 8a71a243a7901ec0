/**
 * The marketplace: sellers create services, buyers register and buy.
 *
 * This is the whole domain. It has no locks, no retries and no versions: a decision rests on what its command reads, and is
 * refused if that has changed. So two servers that both see the last
 * place can't both sell it.
 */
import { domain, failure } from 'tidemark';
import * as z from 'zod';

const market = domain({
  events: {
    USER_REGISTERED: z.object({ user_id: z.string(), name: z.string() }),
    SERVICE_CREATED: z.object({
      service_id: z.string(),
      seller_id: z.string(),
      title: z.string(),
      price: z.int(),
      quantity: z.int(),
    }),
    SERVICE_BOUGHT: z.object({ service_id: z.string(), buyer_id: z.string(), price: z.int() }),
  },
});

export const users = market.collection('users', {
  key: ['user_id', 'buyer_id', 'seller_id'],
  initial: { name: '', spent: 0 },
  reduce: {
    USER_REGISTERED: (user, { name }) => ({ ...user, name }),
    SERVICE_BOUGHT: (user, { buyer_id, price }, { id }) =>
      buyer_id === id ? { ...user, spent: user.spent + price } : user,
  },
});

export const services = market.collection('services', {
  key: 'service_id',
  // The first release had no seller in the state: logs of that time are folded again.
  definition: 2,
  initial: { title: '', seller_id: '', price: 0, quantity: 0 },
  reduce: {
    SERVICE_CREATED: (_, { title, seller_id, price, quantity }) => ({ title, seller_id, price, quantity }),
    SERVICE_BOUGHT: (service) => ({ ...service, quantity: service.quantity - 1 }),
  },
  indexes: ['price', ['seller_id', 'price']],
});

/** A user registers once. */
export const registerUser = market.command('REGISTER_USER', {
  input: z.object({ user_id: z.string(), name: z.string() }),
  reads: ({ user_id }) => ({ user: users.ref(user_id) }),
  decide: ({ user }, input) => (user.exists ? failure('ALREADY_REGISTERED') : { type: 'USER_REGISTERED', ...input }),
});

/** A service is created once, by a registered seller. */
export const createService = market.command('CREATE_SERVICE', {
  input: z.object({
    service_id: z.string(),
    seller_id: z.string(),
    title: z.string(),
    price: z.int().nonnegative(),
    quantity: z.int().positive(),
  }),
  reads: ({ service_id, seller_id }) => ({ service: services.ref(service_id), seller: users.ref(seller_id) }),
  decide: ({ service, seller }, input) => {
    if (!seller.exists) return failure('UNKNOWN_SELLER');
    if (service.exists) return failure('SERVICE_EXISTS');
    return { type: 'SERVICE_CREATED', ...input };
  },
});

/** A registered buyer buys a place, while there are places. */
export const buyService = market.command('BUY_SERVICE', {
  input: z.object({ service_id: z.string(), buyer_id: z.string() }),
  reads: ({ service_id, buyer_id }) => ({ service: services.ref(service_id), buyer: users.ref(buyer_id) }),
  decide: ({ service, buyer }, input) => {
    if (!buyer.exists) return failure('UNKNOWN_BUYER');
    if (!service.exists) return failure('UNKNOWN_SERVICE');
    if (service.state.quantity < 1) return failure('SOLD_OUT');
    return { type: 'SERVICE_BOUGHT', ...input, price: service.state.price };
  },
});

/** What `open` needs besides a store. */
export const marketplace = {
  collections: [users, services],
  commands: [registerUser, createService, buyService],
} as const;
