/**
 * Act on PostgreSQL. The newest of its PostgreSQL stores that the registry has is made for an older Act, which it brings
 * along: that one is used. Retrying is the caller's there, and done as Act's documentation shows it.
 */
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresStore } from '@rotorsoft/act-pg';
import { z } from 'zod';
import { atOnce } from '../at-once.ts';
import { countInPostgres } from '../count.ts';
import { serviceId, type Peer } from '../peer.ts';
import { NOTHING, afterBought, afterCreated, bought, created, salesBefore } from './market.ts';
import type { Service, ServiceBought, ServiceCreated } from './market.ts';

const TRIES = 3;
const PAUSE_MS = 100;
const ACTOR = { id: '1', name: 'bench' };

/** What is used of the older Act: its own types can't be had beside the newer's. */
interface OlderAct {
  act(): { with(state: unknown): { build(): App } };
  state(name: string, schema: z.ZodType): Builder;
  store(store?: PostgresStore): PostgresStore;
  ConcurrencyError: new (...args: never[]) => Error;
}
type Emitted = readonly [event: string, data: object];
interface App {
  do(action: string, target: { stream: string; actor: typeof ACTOR }, payload: object): Promise<unknown>;
}
interface Builder {
  init(init: () => Service): Builder;
  emits(events: Record<string, z.ZodType>): Builder;
  patch(patches: Record<string, (event: { data: never }, service: Service) => Service>): Builder;
  on(action: string, schema: z.ZodType): Builder;
  emit(handler: (action: never, service: Service) => Emitted | readonly Emitted[]): Builder;
  build(): unknown;
}

// Both by require, so that the store and the rest share one copy of that Act.
const requireHere = createRequire(import.meta.url);
const acts = requireHere('@rotorsoft/act-pg') as { PostgresStore: typeof PostgresStore };
const olderAct = createRequire(requireHere.resolve('@rotorsoft/act-pg'))('@rotorsoft/act') as OlderAct;
const { act, state, store, ConcurrencyError } = olderAct;

const Created = z.object({ service_id: z.string(), seller_id: z.string(), price: z.number(), quantity: z.number() });
const Bought = z.object({ service_id: z.string(), buyer_id: z.string(), price: z.number() });

const services = state('Service', z.object({ price: z.number(), quantity: z.number() }))
  .init(() => NOTHING)
  .emits({ SERVICE_CREATED: Created, SERVICE_BOUGHT: Bought })
  .patch({
    SERVICE_CREATED: ({ data }: { data: ServiceCreated }) => afterCreated(data),
    SERVICE_BOUGHT: (_, service) => afterBought(service),
  })
  .on('createService', z.object({ service: Created, sales: z.array(Bought) }))
  .emit(({ service, sales }: { service: ServiceCreated; sales: ServiceBought[] }) => [
    ['SERVICE_CREATED', service],
    ...sales.map((sale) => ['SERVICE_BOUGHT', sale] as const),
  ])
  .on('buyService', Bought.omit({ price: true }))
  .emit(({ service_id, buyer_id }: ServiceBought, service) => ['SERVICE_BOUGHT', bought(service, service_id, buyer_id)])
  .build();

const app = act().with(services).build();
const target = (stream: string): { stream: string; actor: typeof ACTOR } => ({ stream, actor: ACTOR });

let opened: Promise<void> | undefined;

/** Once a process: what it is first told is its store for good. */
function storeAt(url: string): Promise<void> {
  const { hostname: host, port, username: user, pathname } = new URL(url);
  const config = { host, port: Number(port), database: pathname.slice(1), user, password: '' };
  opened ??= store(new acts.PostgresStore(config)).seed();
  return opened;
}

async function buy(service_id: string, buyer_id: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await app.do('buyService', target(service_id), { service_id, buyer_id });
      return;
    } catch (error) {
      if (!(error instanceof ConcurrencyError) || attempt === TRIES - 1) throw error;
      await sleep(PAUSE_MS * 2 ** attempt);
    }
  }
}

export const peer: Peer = {
  packages: ['@rotorsoft/act-pg', '@rotorsoft/act-pg/node_modules/@rotorsoft/act', 'pg'],
  setup:
    'the newest act-pg in the registry, on the Act it pins; 3 tries, 100 ms and then twice as long, as Act documents',
  seed: async (url, count) => {
    await storeAt(url);
    await atOnce(8, count, async (n) => {
      const service_id = serviceId(n);
      const service = created(service_id);
      await app.do('createService', target(service_id), { service, sales: salesBefore(service_id, n) });
    });
  },
  open: async (url) => {
    await storeAt(url);
    return { buy, close: () => store().dispose() };
  },
  count: (url) => countInPostgres(url, 'events'),
};
