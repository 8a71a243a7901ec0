/** Act on SQLite, with the retry that its documentation shows for hot streams. */
import { act, state, store } from '@rotorsoft/act';
import { SqliteStore } from '@rotorsoft/act-sqlite';
import { z } from 'zod';
import { countInSqlite } from '../count.ts';
import { serviceId, type Peer } from '../peer.ts';
import { NOTHING, afterBought, afterCreated, bought, created, salesBefore } from './market.ts';

const ACTOR = { id: '1', name: 'bench' };
const Created = z.object({ service_id: z.string(), seller_id: z.string(), price: z.number(), quantity: z.number() });
const Bought = z.object({ service_id: z.string(), buyer_id: z.string(), price: z.number() });

const services = state({ Service: z.object({ price: z.number(), quantity: z.number() }) })
  .init(() => NOTHING)
  .emits({ SERVICE_CREATED: Created, SERVICE_BOUGHT: Bought })
  .patch({
    SERVICE_CREATED: ({ data }) => afterCreated(data),
    SERVICE_BOUGHT: (_, service) => afterBought(service),
  })
  .on({ createService: z.object({ service: Created, sales: z.array(Bought) }) })
  .emit(({ service, sales }) => [
    ['SERVICE_CREATED', service],
    ...sales.map((sale): ['SERVICE_BOUGHT', typeof sale] => ['SERVICE_BOUGHT', sale]),
  ])
  .on(
    { buyService: Bought.omit({ price: true }) },
    { maxRetries: 5, backoff: { strategy: 'exponential', baseMs: 10, maxMs: 200, jitter: true } },
  )
  .emit(({ service_id, buyer_id }, { state: service }) => ['SERVICE_BOUGHT', bought(service, service_id, buyer_id)])
  .build();

const target = (stream: string): { stream: string; actor: typeof ACTOR } => ({ stream, actor: ACTOR });

type App = ReturnType<typeof build>;

// eslint-disable-next-line typescript/explicit-function-return-type -- its type is inferred from the state's
const build = () => act().withState(services).build();

let opened: Promise<App> | undefined;

/**
 * Once a process: it owns its file by one connection, and a second would get SQLITE_BUSY. The store comes first: building
 * asks for one, and without one Act goes on in memory.
 */
function appAt(file: string): Promise<App> {
  opened ??= store(new SqliteStore({ url: `file:${file}` }))
    .seed()
    .then(build);
  return opened;
}

export const peer: Peer = {
  packages: ['@rotorsoft/act', '@rotorsoft/act-sqlite', '@libsql/client'],
  setup:
    'maxRetries 5, exponential backoff from 10 ms with jitter, as it documents; its own cache; WAL and synchronous=FULL, its defaults',
  seed: async (file, count) => {
    const app = await appAt(file);
    for (let n = 0; n < count; n += 1) {
      const service_id = serviceId(n);
      const service = created(service_id);
      await app.do('createService', target(service_id), { service, sales: salesBefore(service_id, n) });
    }
  },
  open: async (file) => {
    const app = await appAt(file);
    return {
      buy: async (service_id, buyer_id) => {
        await app.do('buyService', target(service_id), { service_id, buyer_id });
      },
      close: () => store().dispose(),
    };
  },
  count: (file) => Promise.resolve(countInSqlite(file, 'events')),
};
