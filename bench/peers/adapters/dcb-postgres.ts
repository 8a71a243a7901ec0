/** dcb-event-store on PostgreSQL: a decision model over the service's tag, and its append condition. */
import { AppendConditionError, Tags, buildDecisionModel } from '@dcb-es/event-store';
import type { DcbEvent, EventHandlerWithState } from '@dcb-es/event-store';
import { PostgresEventStore } from '@dcb-es/event-store-postgres';
import pg from 'pg';
import { atOnce } from '../at-once.ts';
import { countInPostgres } from '../count.ts';
import { serviceId, type Peer } from '../peer.ts';
import { NOTHING, afterBought, afterCreated, bought, created, salesBefore } from './market.ts';
import type { Service, ServiceBought, ServiceCreated } from './market.ts';

type Created = DcbEvent<'SERVICE_CREATED', Tags, ServiceCreated>;
type Bought = DcbEvent<'SERVICE_BOUGHT', Tags, ServiceBought>;

const serviceCreated = (data: ServiceCreated): Created => {
  const { service_id: service, seller_id: user } = data;
  return { type: 'SERVICE_CREATED', tags: Tags.fromObj({ service, user }), data, metadata: {} };
};

const serviceBought = (data: ServiceBought): Bought => {
  const { service_id: service, buyer_id: user } = data;
  return { type: 'SERVICE_BOUGHT', tags: Tags.fromObj({ service, user }), data, metadata: {} };
};

const serviceModel = (service: string): EventHandlerWithState<Created | Bought, Service> => ({
  tagFilter: Tags.fromObj({ service }),
  init: NOTHING,
  when: {
    SERVICE_CREATED: ({ event }) => afterCreated(event.data),
    SERVICE_BOUGHT: (_, service) => afterBought(service),
  },
});

export const peer: Peer = {
  packages: ['@dcb-es/event-store', '@dcb-es/event-store-postgres', 'pg'],
  setup: 'new PostgresEventStore({ pool }); on AppendConditionError from the top, without end, as its README says',
  seed: async (connectionString, services) => {
    const pool = new pg.Pool({ connectionString });
    const store = new PostgresEventStore({ pool });
    await store.ensureInstalled();
    await atOnce(8, services, async (n) => {
      const sales = salesBefore(serviceId(n), n).map(serviceBought);
      await store.append({ events: [serviceCreated(created(serviceId(n))), ...sales] });
    });
    await pool.end();
  },
  open: (connectionString) => {
    const pool = new pg.Pool({ connectionString });
    const store = new PostgresEventStore({ pool });
    const buy = async (service: string, buyer: string): Promise<void> => {
      for (;;) {
        const { state, appendCondition } = await buildDecisionModel(store, { service: serviceModel(service) });
        try {
          await store.append({
            events: serviceBought(bought(state.service, service, buyer)),
            condition: appendCondition,
          });
          return;
        } catch (error) {
          if (!(error instanceof AppendConditionError)) throw error;
        }
      }
    };
    return Promise.resolve({ buy, close: () => pool.end() });
  },
  count: (url) => countInPostgres(url, 'events'),
};
