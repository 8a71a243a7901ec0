/**
 * Tickets over HTTP. Start as many as you like on one file; each prints its URL. In this repository:
 * npx node --conditions=@tidemark/source examples/http-server.ts theatre.db
 */
import { serve } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { domain, failure, InvalidInput, open, TidemarkError, type Outcome } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import * as z from 'zod';

const announced = z.object({ show_id: z.string(), seats: z.int().positive() });
const sold = z.object({ show_id: z.string(), guest_id: z.string() });
const theatre = domain({ events: { SHOW_ANNOUNCED: announced, TICKET_SOLD: sold } });
const shows = theatre.collection('shows', {
  key: 'show_id',
  initial: { left: 0 },
  reduce: { SHOW_ANNOUNCED: (_, { seats }) => ({ left: seats }), TICKET_SOLD: ({ left }) => ({ left: left - 1 }) },
});

const announce = theatre.command('ANNOUNCE_SHOW', {
  input: announced,
  reads: ({ show_id }) => ({ show: shows.ref(show_id) }),
  decide: ({ show }, input) => (show.exists ? failure('ALREADY_ANNOUNCED') : { type: 'SHOW_ANNOUNCED', ...input }),
});
const sell = theatre.command('SELL_TICKET', {
  input: sold,
  reads: ({ show_id }) => ({ show: shows.ref(show_id) }),
  decide: ({ show }, input) =>
    show.state.left > 0 ? { type: 'TICKET_SOLD', ...input } : failure(show.exists ? 'SOLD_OUT' : 'UNKNOWN_SHOW'),
});

const store = sqlite(process.argv[2] ?? 'theatre.db');
const app = await open({ store, collections: [shows], commands: [announce, sell] });

/** A refusal that isn't here is 409; an error 503 if another try or another server may do, or else 500. */
const REFUSALS: Record<string, ContentfulStatusCode> = { UNKNOWN_SHOW: 404, ERROR: 500 };
const ERRORS: Record<string, ContentfulStatusCode> = { InvalidInput: 400, CommandIdReused: 422, Overloaded: 429 };

// The caller makes the id, and sends it again if no answer came: the command is done once. Without one it is refused.
const sent = (c: Context) => ({ id: c.req.header('Idempotency-Key') ?? '' });
function answer(c: Context, { status, reason, position, replayed, retryable = false }: Outcome): Response {
  if (retryable) c.header('Retry-After', '1');
  const http = reason ? (REFUSALS[reason] ?? 409) : replayed ? 200 : 201;
  return c.json({ status, reason, position, replayed, retryable }, http);
}
const web = new Hono()
  .post('/announce-show', async (c) => answer(c, await app.execute(announce, await c.req.json(), sent(c))))
  .post('/sell-ticket', async (c) => answer(c, await app.execute(sell, await c.req.json(), sent(c))))
  .get('/shows/:id', async (c) => c.json(await app.get(shows, c.req.param('id'))));
web.onError((thrown, c) => {
  const error = thrown instanceof SyntaxError ? new InvalidInput('The body must be JSON.') : thrown;
  if (!(error instanceof TidemarkError)) return c.json({ code: 'Internal', retryable: false }, 500);
  if (error.retryable) c.header('Retry-After', '1');
  const status = ERRORS[error.code] ?? (error.retryable || error.code === 'Closed' ? 503 : 500);
  return c.json(status < 500 ? error : { code: error.code, retryable: error.retryable }, status); // faults stay inside
});
const server = serve({ fetch: web.fetch, port: 0 }, ({ port }) => console.log(`http://localhost:${port}`));
process.once('SIGTERM', () => server.close(() => void app.close()));
