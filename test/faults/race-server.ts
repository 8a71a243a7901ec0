/**
 * One of the servers that race. Each round it is told the services and waits for the word to go, having read nothing of
 * them (or, every other round, with all of them in its cache): the race includes the reading (lesson 26).
 *
 * Says: `open`, then for each round `ready` and `done`, with what its buyers were answered.
 */
import { open, TidemarkError } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { acknowledged } from './acknowledged.ts';
import { hear, say } from './test-process.ts';
import { buy, buyUnguarded, look, parts, services, type Purchase } from './places.ts';
import { randomOf } from '../support/seed.ts';

export interface Round {
  readonly round: number;
  readonly services: readonly string[];
  /** How often the server tries for each service. */
  readonly attempts: number;
  readonly guarded: boolean;
}

const CALLERS = 16;
const WAIT_MS = 3;
const BURN_MS = 1.5;

const [file = '', name = '', seed = '1'] = process.argv.slice(2);
const random = randomOf(Number(seed));
const app = await open({ store: sqlite(file), ...parts });
look.left = async (id) => (await app.get(services, id)).state.left;
say('open');

async function race({ round, services: ids, attempts, guarded }: Round): Promise<void> {
  const wanted = ids.flatMap((id) => Array.from({ length: attempts }, () => ({ id, turn: random() })));
  wanted.sort((one, other) => one.turn - other.turn);
  if (round % 2 === 1) await app.get(services, ids);
  say('ready', { round });
  await hear();
  const bought: string[] = [];
  const reasons: Record<string, number> = {};
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < wanted.length) {
      const buyer = `${name}-${round}-${next}`;
      const input: Purchase = {
        service_id: wanted[next++]!.id,
        buyer_id: buyer,
        wait_ms: random() * WAIT_MS,
        burn_ms: random() * BURN_MS,
      };
      try {
        const outcome = await app.execute(guarded ? buy : buyUnguarded, input, { id: buyer });
        say('acknowledged', acknowledged(buyer, outcome));
        if (outcome.status === 'succeeded') bought.push(buyer);
        else reasons[outcome.reason] = (reasons[outcome.reason] ?? 0) + 1;
      } catch (error) {
        say('error', error instanceof TidemarkError ? error.toJSON() : { message: String(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  say('done', { round, bought, reasons, counters: (await app.status()).counters });
}

for (;;) await race(await hear<Round>());
