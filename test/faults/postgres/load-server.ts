/**
 * A server on PostgreSQL, under load from several callers; a caller that is told that the store is away sends the same
 * command again, with the same id, until it is answered. Beside them a reader follows the log, page after page from where
 * it was, in the same application.
 *
 * Is told first what it is to do. Says: `open`; `sent`, `acknowledged`; `away`, for each StoreUnavailable or ConnectionsBusy; `doubt`, for each write that the store doesn't
 * know the end of, and `found`, if it was stored; `followed`, with what a page held; `error`, for what nobody should be told. Once it hears where the log ends: `finished`; then `read`, when its reader is there.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectionsBusy, open, StoreUnavailable, TidemarkError } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { acknowledged } from '../acknowledged.ts';
import { careless } from '../careless.ts';
import { hasty } from '../hasty.ts';
import { hear, say } from '../test-process.ts';
import { randomOf } from '../../support/seed.ts';
import { telling } from './doubts.ts';
import { followed, type Followed } from './follow.ts';
import { commandOf, parts, type LoadOptions } from './load.ts';

const AGAIN_MS = 20;
const FOLLOW_MS = 5;
/** A caller's rest, at most: the processor is for the faults as well. */
const PAUSE_MS = 30;

// Not as an argument, which every user of the machine can read: the URL may hold a password.
const options = await hear<LoadOptions>();
const { url, schema, name, seed, callers = 6, waitMs, hastyMs } = options;
const random = randomOf(seed);
const waits = waitMs && { connectTimeoutMs: waitMs, lockTimeoutMs: waitMs, answerTimeoutMs: waitMs };
let store = telling(postgres(url, { schema, ...waits, ...(options.asynchronous && { synchronousCommit: 'off' }) }), {
  doubt: () => say('doubt'),
  found: (commands) => commands > 0 && say('found'),
});
if (hastyMs !== undefined) store = hasty(store, hastyMs);
if (options.careless) store = careless(store);

/** Until there is an answer. A fault that is none of the store's being away ends it. */
async function insisting<T>(ask: () => Promise<T>): Promise<T | undefined> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof StoreUnavailable || error instanceof ConnectionsBusy)) {
        say('error', error instanceof TidemarkError ? error.toJSON() : { message: String(error) });
        return undefined;
      }
      say('away', { unknown: error.details['unknown'] === true });
      await sleep(AGAIN_MS);
    }
  }
}

const opened = await insisting(() => open({ store, ...parts }));
if (!opened) process.exit(1);
const app = opened;
say('open');

let executed = 0;
const finishing = new AbortController();

async function caller(): Promise<void> {
  while (!finishing.signal.aborted) {
    const id = `${name}-${(executed += 1)}`;
    const { command, input } = commandOf(id, random);
    say('sent', { id });
    const outcome = await insisting(() => app.execute(command, input, { id }));
    if (!outcome) return;
    say('acknowledged', { ...acknowledged(id, outcome) });
    await sleep(random() * PAUSE_MS);
  }
}

/** Reads on from where it was, until it is at `end()`. */
async function follow(end: () => number): Promise<void> {
  let after = 0;
  const page = async (): Promise<true> => {
    const events: Followed[] = [];
    try {
      for await (const event of app.events({ after })) {
        events.push(followed(event));
        after = event.position;
      }
    } finally {
      // What was given before it broke off was given.
      if (events.length > 0) say('followed', { events });
    }
    return true;
  };
  while (after < end()) {
    if (!(await insisting(page))) return;
    await sleep(FOLLOW_MS);
  }
}

let end = Infinity;
const following = follow(() => end);
const working = Promise.all(Array.from({ length: callers }, caller));
await hear();
finishing.abort();
await working;
say('finished');
end = await hear<number>();
await following;
say('read');
await app.close();
process.exit(0);
