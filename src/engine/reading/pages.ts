/** Events page by page: where a reader stands in the log, and its way to the log's end. */
import type { AnyEvent } from '../../model/event.ts';
import type { EventPage, StoredEvent } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { Halt } from '../halt.ts';
import type { Interest } from './interest.ts';
import { recorded, type RecordedEvent } from './recorded.ts';

export const PAGE = 500;

/** Where a reader stands, in the log or in the history of a document. */
export interface Cursor {
  /** What it reads of the log; the tail needs to know it. */
  readonly interest: Interest;
  read(limit: number): Promise<EventPage>;
  /** Whether an event is shown: a dropped or unchecked event doesn't have the type asked for. */
  wants(event: AnyEvent): boolean;
  /** Checks, by the first page, that it began at a place of this log. @throws HistoryDiverged */
  begun(page: EventPage): Promise<void>;
  /** Moves behind a page that may be shown. */
  pass(page: EventPage): void;
  /** Moves behind an event that the tail gave, the next one of its interest. */
  passEvent(event: StoredEvent): void;
}

/** The next page, if the log holds all that this server has seen. If that can't be checked, the cursor stays where it is. */
export async function nextPage(
  core: Core,
  cursor: Pick<Cursor, 'read' | 'begun' | 'pass'>,
  limit: number,
): Promise<EventPage> {
  core.watermark.assertWhole();
  const before = core.watermark.seen;
  const page = await cursor.read(Math.min(PAGE, limit));
  await core.watermark.observe(before, page.end, core.session);
  await cursor.begun(page);
  cursor.pass(page);
  return page;
}

/** All events up to the end of the log, as it is at each page. */
export async function* paged(
  core: Core,
  cursor: Cursor,
  limit: number,
  halt: Halt,
): AsyncGenerator<RecordedEvent, undefined> {
  let left = limit;
  while (left > 0) {
    const page = await halt.orElse(() => nextPage(core, cursor, left));
    for (const stored of page.events) {
      halt.assertGoing();
      const shown = recorded(core.events, stored);
      if (!cursor.wants(shown.event)) continue;
      left -= 1;
      yield shown;
    }
    if (page.next === undefined) return;
  }
}
