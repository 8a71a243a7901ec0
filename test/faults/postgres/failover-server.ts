/**
 * A server that lives through a failover: it is given all hosts, executes orders from several callers at once, and is
 * never started again. A caller that is told that the store is away sends the same command again, with the same id.
 *
 * Says: `open`, `sent`, `acknowledged`, `away` (what a caller was told while nobody took writes), `refused` (what ends a
 * caller), `closed`. Ends when it is told anything.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { open, StoreUnavailable, TidemarkError, type Outcome } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { acknowledged } from '../acknowledged.ts';
import { order, orderOf, parts, type OrderInput } from '../orders.ts';
import { hear, say } from '../test-process.ts';
import { randomOf } from '../../support/seed.ts';

const CALLERS = 6;
/** Between two orders of a caller, and before one is sent again, in milliseconds. */
const PAUSE_MS = 5;
const AGAIN_MS = 50;

const [url = '', name = '', seed = '1'] = process.argv.slice(2);
const random = randomOf(Number(seed));
const app = await open({ store: postgres(url), ...parts });
say('open');
const ending = new AbortController();
let made = 0;

/** Undefined for what no sending again would mend. */
async function insist(id: string, input: OrderInput): Promise<Outcome | undefined> {
  for (;;) {
    try {
      return await app.execute(order, input, { id });
    } catch (error) {
      const told = error instanceof TidemarkError ? error.toJSON() : { message: String(error) };
      if (!(error instanceof StoreUnavailable)) {
        say('refused', told);
        return undefined;
      }
      say('away', told);
      await sleep(AGAIN_MS);
    }
  }
}

async function caller(): Promise<void> {
  while (!ending.signal.aborted) {
    const id = `${name}-${(made += 1)}`;
    const input = orderOf(id, random);
    say('sent', { id, input });
    const outcome = await insist(id, input);
    if (!outcome) return;
    say('acknowledged', { ...acknowledged(id, outcome) });
    await sleep(random() * PAUSE_MS);
  }
}

const callers = Promise.all(Array.from({ length: CALLERS }, caller));
await hear();
ending.abort();
await callers;
await app.close();
say('closed');
process.exit(0);
