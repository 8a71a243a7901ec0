/**
 * Going on after the end of the log: every event once, in order, whoever writes it. A follower reads by itself up to the end,
 * and is handed what comes after that by the tail. Nothing is skipped or repeated: the tail gives events in the log's order
 * after the position that it is asked by, or says that it doesn't have them all, and then they are read from the cursor on.
 */
import type { Core } from '../core.ts';
import type { Halt } from '../halt.ts';
import type { Cursor } from './pages.ts';
import { recorded, type RecordedEvent } from './recorded.ts';
import { tailOf } from './tail.ts';

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
  const tail = tailOf(core);
  let left = limit;
  try {
    while (left > 0) {
      const page = await tail.ownReads.page(cursor, left, halt);
      for (const stored of page.events) {
        halt.assertGoing();
        const shown = recorded(core.events, stored);
        if (!cursor.wants(shown.event)) continue;
        left -= 1;
        yield shown;
      }
      if (page.next !== undefined) continue;
      tail.join(page.end);
      for (let { position } = page.end; left > 0;) {
        halt.assertGoing();
        const kept = await tail.next(cursor.interest, position, halt);
        if (kept === undefined) break;
        position = kept.position;
        cursor.passEvent(kept.stored);
        const shown = kept.recorded();
        if (!cursor.wants(shown.event)) continue;
        left -= 1;
        yield shown;
      }
    }
  } catch (error) {
    // Only what was waiting when somebody wanted no more.
    if (!halt.stopped) throw error;
  }
}
