/** Castore's event store and command: the same on every storage adapter of its. */
import { Command, EventStore, EventType, tuple, type EventStorageAdapter } from '@castore/core';
import { atOnce } from '../at-once.ts';
import { serviceId, type Shop } from '../peer.ts';
import { NOTHING, afterBought, afterCreated, bought, created, salesBefore } from './market.ts';
import type { Service, ServiceBought, ServiceCreated } from './market.ts';

const serviceCreated = new EventType<'SERVICE_CREATED', ServiceCreated>({ type: 'SERVICE_CREATED' });
const serviceBought = new EventType<'SERVICE_BOUGHT', ServiceBought>({ type: 'SERVICE_BOUGHT' });
type Aggregate = Service & { readonly aggregateId: string; readonly version: number };

export const SETUP = 'Command with its default of 2 retries (eventAlreadyExistsRetries)';

// eslint-disable-next-line typescript/explicit-function-return-type -- its type is inferred from its parts
function servicesIn(eventStorageAdapter: EventStorageAdapter) {
  return new EventStore({
    eventStoreId: 'SERVICES',
    eventTypes: [serviceCreated, serviceBought],
    eventStorageAdapter,
    reducer: (service: Aggregate, event): Aggregate => {
      const { aggregateId, version } = event;
      const state = event.type === 'SERVICE_CREATED' ? afterCreated(event.payload) : afterBought(service);
      return { ...state, aggregateId, version };
    },
  });
}

export function openShop(eventStorageAdapter: EventStorageAdapter): Shop {
  const services = servicesIn(eventStorageAdapter);
  const command = new Command({
    commandId: 'BUY_SERVICE',
    requiredEventStores: tuple(services),
    handler: async ({ service, buyer }: { service: string; buyer: string }, [services]): Promise<void> => {
      const { aggregate } = await services.getAggregate(service);
      const payload = bought(aggregate ?? NOTHING, service, buyer);
      const version = (aggregate?.version ?? 0) + 1;
      await services.pushEvent({ aggregateId: service, version, type: 'SERVICE_BOUGHT', payload });
    },
  });
  return {
    buy: (service, buyer) => command.handler({ service, buyer }, [services]),
    close: () => Promise.resolve(),
  };
}

export async function seedShop(eventStorageAdapter: EventStorageAdapter, count: number): Promise<void> {
  const services = servicesIn(eventStorageAdapter);
  await atOnce(8, count, async (n) => {
    const aggregateId = serviceId(n);
    await services.pushEvent({ aggregateId, version: 1, type: 'SERVICE_CREATED', payload: created(aggregateId) });
    for (const [index, payload] of salesBefore(aggregateId, n).entries())
      await services.pushEvent({ aggregateId, version: index + 2, type: 'SERVICE_BOUGHT', payload });
  });
}
