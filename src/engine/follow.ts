/**
 * Going on after the end of the log: every event once, in order, whoever writes it. Waiting only says when to read
 * (`Session.moved`); that nothing is skipped or repeated rests on reading from where the cursor stands.
 */
import type { EventPage } from '../store/store.ts';
import type { Core } from './core.ts';
import type { Halt } from './halt.ts';
import { Outage } from './outage.ts';
import { nextPage, type Cursor } from './pages.ts';
import { recorded, type RecordedEvent } from './recorded.ts';

/**
 * Follows until `limit` events. Not the generator itself: `return()` of a generator that waits would wait with it, until
 * somebody commits.
 */
export function followed(core: Core, cursor: Cursor, limit: number, halt: Halt): AsyncIterableIterator<RecordedEvent> {
  const events = follow(core, cursor, limit, halt);
  const following = {
    next: () => events.next(),
    return: () => {
      halt.stop();
      return events.return(undefined);
    },
    throw: (error: unknown) => {
      halt.stop();
      return events.throw(error);
    },
    [Symbol.asyncIterator]: () => following,
    [Symbol.asyncDispose]: async () => void (await following.return()),
  };
  return following;
}

async function* follow(
  core: Core,
  cursor: Cursor,
  limit: number,
  halt: Halt,
): AsyncGenerator<RecordedEvent, undefined> {
  const outage = new Outage(core);
  let left = limit;
  try {
    while (left > 0) {
      let page: EventPage;
      try {
        page = await halt.orElse(() => nextPage(core, cursor, left));
        outage.answered('read');
      } catch (error) {
        await outage.sitOut('read', error, halt);
        continue;
      }
      for (const stored of page.events) {
        halt.assertGoing();
        const shown = recorded(core.events, stored);
        if (!cursor.wants(shown.event)) continue;
        left -= 1;
        yield shown;
      }
      if (page.next !== undefined || left === 0) continue;
      try {
        await halt.orElse((signal) => core.session.moved(page.end, signal));
        outage.answered('moved');
      } catch (error) {
        await outage.sitOut('moved', error, halt);
      }
    }
  } catch (error) {
    // Only what was waiting when somebody wanted no more.
    if (!halt.stopped) throw error;
  }
}
