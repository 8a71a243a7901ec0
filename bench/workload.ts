/** The work that is measured: buying places, with two documents attached to each sale. */
import { domain, failure, open, type, type App } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';

export const SERVICES = 5_000;
export const BUYERS = 20_000;

const market = domain({
  events: {
    SERVICE_CREATED: type<{ service_id: string; seller_id: string; price: number; quantity: number }>(),
    SERVICE_BOUGHT: type<{ service_id: string; buyer_id: string; price: number }>(),
  },
});
export const services = market.collection('services', {
  key: 'service_id',
  initial: { price: 0, quantity: 0 },
  reduce: {
    SERVICE_CREATED: (_, { price, quantity }) => ({ price, quantity }),
    SERVICE_BOUGHT: (service) => ({ ...service, quantity: service.quantity - 1 }),
  },
});
export const users = market.collection('users', {
  key: ['buyer_id', 'seller_id'],
  initial: { spent: 0 },
  reduce: {
    SERVICE_BOUGHT: (user, { buyer_id, price }, { id }) => (buyer_id === id ? { spent: user.spent + price } : user),
  },
});
export const createService = market.command('CREATE_SERVICE', {
  input: type<{ service_id: string; seller_id: string; price: number; quantity: number }>(),
  reads: ({ service_id }) => ({ service: services.ref(service_id) }),
  decide: ({ service }, input) => (service.exists ? failure('EXISTS') : { type: 'SERVICE_CREATED', ...input }),
});
export const buyService = market.command('BUY_SERVICE', {
  input: type<{ service_id: string; buyer_id: string }>(),
  reads: ({ service_id }) => ({ service: services.ref(service_id) }),
  decide: ({ service }, input) =>
    service.state.quantity < 1 ? failure('SOLD_OUT') : { type: 'SERVICE_BOUGHT', ...input, price: service.state.price },
});
export const parts = { collections: [services, users], commands: [createService, buyService] } as const;
export type Market = App<(typeof parts.commands)[number]>;

export const serviceId = (n: number): string => `service-${n % SERVICES}`;
export const buyerId = (n: number, buyers = BUYERS): string => `buyer-${n % buyers}`;

/** An open marketplace with 5,000 services that never sell out. */
export async function openMarket(file: string): Promise<Market> {
  const app = await open({ store: sqlite(file), ...parts, reduction: 'off' });
  if ((await app.status()).position === 0) {
    await Promise.all(
      Array.from({ length: SERVICES }, (_, n) =>
        app.execute(createService, { service_id: serviceId(n), seller_id: 'seller', price: 5, quantity: 1e9 }),
      ),
    );
  }
  return app;
}

/** Makes a log in which every service exists, and so many buyers have bought once. */
export async function makeMarket(file: string, buyers = BUYERS): Promise<void> {
  const app = await openMarket(file);
  await Promise.all(
    Array.from({ length: buyers / 10 }, async (_, slice) => {
      for (let n = slice * 10; n < slice * 10 + 10; n += 1)
        await app.execute(buyService, { service_id: serviceId(n), buyer_id: buyerId(n, buyers) });
    }),
  );
  await app.close();
}

/** Buys with so many callers at once until the time is over; each service's turn comes as if at random. */
export async function buy(
  app: Market,
  callers: number,
  ms: number,
  pick: (n: number) => string,
): Promise<{ commands: number; seconds: number; latencies: number[] }> {
  const latencies: number[] = [];
  const started = performance.now();
  const over = started + ms;
  let n = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let asked = performance.now(); asked < over;) {
        n += 1;
        await app.execute(buyService, { service_id: pick(n), buyer_id: buyerId(n * 7_919) });
        const now = performance.now();
        latencies.push(now - asked);
        asked = now;
      }
    }),
  );
  return { commands: latencies.length, seconds: (performance.now() - started) / 1_000, latencies };
}

export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}
