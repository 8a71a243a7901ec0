/**
 * A first program: tickets for shows, in a file of SQLite. In this repository:
 * npx node --conditions=@tidemark/source examples/first.ts theatre.db
 */
import { domain, failure, open, type } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';

const theatre = domain({
  events: {
    SHOW_ANNOUNCED: type<{ show_id: string; title: string; seats: number }>(),
    TICKET_SOLD: type<{ show_id: string; guest_id: string }>(),
  },
});

const shows = theatre.collection('shows', {
  key: 'show_id', // events with this field belong to that show
  initial: { title: '', left: 0 },
  reduce: {
    SHOW_ANNOUNCED: (_, { title, seats }) => ({ title, left: seats }),
    TICKET_SOLD: (show) => ({ ...show, left: show.left - 1 }),
  },
});

const announceShow = theatre.command('ANNOUNCE_SHOW', {
  input: type<{ show_id: string; title: string; seats: number }>(),
  reads: ({ show_id }) => ({ show: shows.ref(show_id) }),
  decide: ({ show }, input) => (show.exists ? failure('ALREADY_ANNOUNCED') : { type: 'SHOW_ANNOUNCED', ...input }),
});

const sellTicket = theatre.command('SELL_TICKET', {
  input: type<{ show_id: string; guest_id: string }>(),
  reads: ({ show_id }) => ({ show: shows.ref(show_id) }), // what the decision rests on: nothing else is locked
  decide: ({ show }, input) => {
    if (!show.exists) return failure('UNKNOWN_SHOW');
    if (show.state.left < 1) return failure('SOLD_OUT');
    return { type: 'TICKET_SOLD', ...input };
  },
});

await using app = await open({
  store: sqlite(process.argv[2] ?? 'theatre.db'),
  collections: [shows],
  commands: [announceShow, sellTicket],
});

// A command always leaves an event, whether it succeeds or fails. Sent again with its id, it is answered as the first time.
await app.execute(announceShow, { show_id: 'hamlet', title: 'Hamlet', seats: 2 }, { id: 'announce-hamlet' });
for (const guest_id of ['ann', 'bob', 'eve']) {
  const outcome = await app.execute(sellTicket, { show_id: 'hamlet', guest_id }, { id: `hamlet-${guest_id}` });
  console.log(guest_id, outcome.status, outcome.reason ?? '');
}

const { state, version } = await app.get(shows, 'hamlet');
console.log(`${state.title}: ${state.left} seats left, at version ${version}`);
for await (const { position, event } of app.history(shows, 'hamlet')) console.log(position, event.type);
