/** The domain of the race: services with few places, bought by commands that take their time. */
import { setTimeout } from 'node:timers/promises';
import { failure, type } from 'tidemark';
import { shop } from './shop-events.ts';

export interface Purchase {
  readonly service_id: string;
  readonly buyer_id: string;
  /** How long `prepare` waits, and how long `decide` keeps the processor, in milliseconds. */
  readonly wait_ms: number;
  readonly burn_ms: number;
}

export const services = shop.collection('services', {
  key: 'service_id',
  initial: { left: 0 },
  reduce: {
    OPENED: (_, { places }) => ({ left: places }),
    BOUGHT: ({ left }) => ({ left: left - 1 }),
  },
});

export const buyers = shop.collection('buyers', {
  key: 'buyer_id',
  initial: { bought: 0 },
  reduce: { BOUGHT: ({ bought }) => ({ bought: bought + 1 }) },
});

export const openService = shop.command('OPEN_SERVICE', {
  input: type<{ service_id: string; places: number }>(),
  decide: (_, input) => ({ type: 'OPENED', ...input }),
});

/** Slow code: the longer a decision takes, the more comes between its reading and its writing. */
function burn(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

export const buy = shop.command('BUY', {
  input: type<Purchase>(),
  prepare: ({ wait_ms }) => setTimeout(wait_ms),
  reads: ({ service_id }) => ({ service: services.ref(service_id) }),
  decide: ({ service }, { service_id, buyer_id, burn_ms }) => {
    burn(burn_ms);
    const { left } = service.state;
    return left < 1 ? failure('SOLD_OUT') : { type: 'BOUGHT', service_id, buyer_id, place: left };
  },
});

/** How `buyUnguarded` looks at a service. */
export const look: { left: (serviceId: string) => Promise<number> } = { left: async () => 0 };

/** What the race must catch: what was looked up is not what the command reads, so nothing guards the decision. */
export const buyUnguarded = shop.command('BUY_UNGUARDED', {
  input: type<Purchase>(),
  prepare: async ({ service_id, wait_ms }) => {
    const left = await look.left(service_id);
    await setTimeout(wait_ms);
    return left;
  },
  decide: (_, { service_id, buyer_id, burn_ms }, { prepared }) => {
    burn(burn_ms);
    return prepared < 1 ? failure('SOLD_OUT') : { type: 'BOUGHT', service_id, buyer_id, place: prepared };
  },
});

export const parts = { collections: [services, buyers], commands: [openService, buy, buyUnguarded] } as const;
