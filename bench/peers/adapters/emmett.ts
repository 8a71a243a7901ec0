/** Emmett's command handler: the same on every store of its. */
import { CommandHandler, type Event } from '@event-driven-io/emmett';
import { NOTHING, afterBought, afterCreated, bought, created, salesBefore } from './market.ts';
import type { Service, ServiceBought, ServiceCreated } from './market.ts';

type ServiceEvent = Event<'SERVICE_CREATED', ServiceCreated> | Event<'SERVICE_BOUGHT', ServiceBought>;

/** Emmett names the collection by what stands before the first dash, and ours begin with `service-`. */
export const streamOf = (service_id: string): string => service_id;

export const SETUP = 'CommandHandler with retry: { onVersionConflict: true } (3 times, from 100 ms)';

export const handle = CommandHandler<Service, ServiceEvent>({
  initialState: () => NOTHING,
  evolve: (service, event) => (event.type === 'SERVICE_CREATED' ? afterCreated(event.data) : afterBought(service)),
  retry: { onVersionConflict: true },
});

export const buying =
  (service_id: string, buyer_id: string) =>
  (service: Service): ServiceEvent => ({ type: 'SERVICE_BOUGHT', data: bought(service, service_id, buyer_id) });

export function earlier(service_id: string, n: number): ServiceEvent[] {
  return [
    { type: 'SERVICE_CREATED', data: created(service_id) },
    ...salesBefore(service_id, n).map((data): ServiceEvent => ({ type: 'SERVICE_BOUGHT', data })),
  ];
}
