/**
 * Following: every event once, in order, whoever writes it. A follower reads by itself up to the end of the log, and gets what
 * comes after from the tail. Nothing is skipped or repeated: the tail gives the events after a position in order, or says that it
 * doesn't have them all; then they are read.
 */
import type { Core } from '../core.ts';
import type { Halt } from '../halt.ts';
import type { Cursor } from './pages.ts';
import { recorded, type RecordedEvent } from './recorded.ts';
import { tailOf } from './tail.ts';

/** Follows until `limit` events. Not the generator itself: its `return()` would wait until somebody commits. */
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
        position = kept.stored.position;
        cursor.passEvent(kept.stored);
        const shown = kept.recorded();
        if (!cursor.wants(shown.event)) continue;
        left -= 1;
        yield shown;
      }
    }
  } catch (error) {
    // After `stop` the error is only that of the interrupted wait.
    if (!halt.stopped) throw error;
  }
}
