/**
 * A read model: which shows sell best, while http-server.ts sells. Its collection came later: it is made of the tickets that were
 * sold before, and the server needs no change, nor to be stopped. Start and stop it as you like. In this repository:
 * npx node --conditions=@tidemark/source examples/read-model.ts theatre.db
 */
import { domain, open, type } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';

const theatre = domain({ events: { TICKET_SOLD: type<{ show_id: string; guest_id: string }>() } });
const sales = theatre.collection('sales', {
  key: { TICKET_SOLD: 'show_id' },
  initial: { tickets: 0 },
  reduce: { TICKET_SOLD: ({ tickets }) => ({ tickets: tickets + 1 }) },
  indexes: ['tickets'],
});

const app = await open({ store: sqlite(process.argv[2] ?? 'theatre.db'), collections: [sales], commands: [] });
process.once('SIGTERM', () => void app.close());

try {
  // The ten best now, and again whenever they have changed. If tickets are sold faster than this prints, it gets the newest.
  for await (const { documents } of app.watch(sales, { orderBy: [{ tickets: 'desc' }], limit: 10 })) {
    console.log(documents.map(({ id, state }) => `${id} ${state.tickets}`).join(', '));
  }
} catch (error) {
  if ((error as { code?: string }).code !== 'Closed') throw error;
}
