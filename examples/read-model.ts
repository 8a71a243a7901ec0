/**
 * A read model: how many tickets each show has sold, in a table that can be queried as you like. It follows the log that
 * http-server.ts writes, and goes on where it was when it is started again. In this repository:
 * npx node --conditions=@tidemark/source examples/read-model.ts theatre.db sales.db
 */
import { DatabaseSync } from 'node:sqlite';
import { domain, open, type } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';

const [log = 'theatre.db', file = 'sales.db'] = process.argv.slice(2);

const database = new DatabaseSync(file);
database.exec(`
  CREATE TABLE IF NOT EXISTS sales (show_id TEXT PRIMARY KEY, tickets INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS place (only INTEGER PRIMARY KEY CHECK (only = 1), position INTEGER, hash TEXT);
`);
const sold = database.prepare('INSERT INTO sales VALUES (?, 1) ON CONFLICT DO UPDATE SET tickets = tickets + 1');
const done = database.prepare('INSERT OR REPLACE INTO place VALUES (1, ?, ?)');
const place = database.prepare('SELECT position, hash FROM place').get() as
  { position: number; hash: string } | undefined;

// The same definitions as in http-server.ts.
const theatre = domain({
  events: {
    SHOW_ANNOUNCED: type<{ show_id: string; seats: number }>(),
    TICKET_SOLD: type<{ show_id: string; guest_id: string }>(),
  },
});
const shows = theatre.collection('shows', {
  key: 'show_id',
  initial: { left: 0 },
  reduce: { SHOW_ANNOUNCED: (_, { seats }) => ({ left: seats }), TICKET_SOLD: ({ left }) => ({ left: left - 1 }) },
});
const app = await open({ store: sqlite(log), collections: [shows], commands: [] });
process.once('SIGTERM', () => void app.close());

try {
  // With the hash, a log that was put back from a copy is refused (HistoryDiverged): then delete the tables, and begin anew.
  for await (const { event, position, hash } of app.events({
    follow: true,
    after: place ?? 0,
    types: ['TICKET_SOLD'],
  })) {
    // The count and the position are stored in one transaction: each event counts once, even after a kill.
    database.exec('BEGIN');
    sold.run(event['show_id']);
    done.run(position, hash);
    database.exec('COMMIT');
    console.log(position);
  }
} catch (error) {
  if ((error as { code?: string }).code !== 'Closed') throw error;
}
