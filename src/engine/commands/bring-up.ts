/** Brings tracked documents up to date: reads the log from where they were, and folds their events. */
import { hasCode } from '../../errors.ts';
import type { ScannedEvent, Session } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { eventReader, foldEvent } from '../reading/fold-events.ts';
import { TRACKED_PAGE, TRACKED_PAGES_MAX } from '../tracked.ts';

/** Events folded between two turns of the event loop: a page may have ten times as many attachments as events. */
const FOLDED_A_TURN = 1_000;

const everything = (): boolean => true;

/** Takes in the log up to its end, or only some of it, if that is much. Whether it was all. */
export async function bringUp(core: Core, io: Pick<Session, 'scan' | 'commits'>): Promise<boolean> {
  const { tracked, watermark, runtime } = core;
  // At least once: others may have written unseen.
  for (let pages = 0; pages === 0 || tracked.reached < watermark.seen.position; pages += 1) {
    if (pages === TRACKED_PAGES_MAX) return false;
    if (pages > 0) await runtime.turn();
    const before = watermark.seen;
    if (tracked.isFarBehind(before)) tracked.restart(before);
    try {
      const page = await io.scan({ after: tracked.reached, limit: TRACKED_PAGE, known: everything, seen: before });
      await watermark.observe(before, page.end, io, page.holds);
      const { folded, others } = await takeIn(core, page.events);
      tracked.passTo(page.next ?? page.end.position, folded, others);
      // The texts are long, or the attachments many.
      if (page.next !== undefined && page.events.length < TRACKED_PAGE) tracked.restart(watermark.seen);
    } catch (error) {
      // It is for speed alone, and the batch may not need the store again.
      if (hasCode(error, 'StoreUnavailable', 'ConnectionsBusy')) return false;
      // A command that needs what is damaged loads it, and gets the error then.
      if (!hasCode(error, 'LogCorrupt')) throw error;
      tracked.restart(watermark.seen);
    }
  }
  return true;
}

/** How many events of tracked documents were folded, and how many were of none. */
async function takeIn(
  core: Core,
  events: readonly ScannedEvent[],
): Promise<{ readonly folded: number; readonly others: number }> {
  const { collections, runtime, tracked } = core;
  const read = eventReader(core);
  let [folded, others, turnAt] = [0, 0, FOLDED_A_TURN];
  for (const event of events) {
    const { attachments } = event;
    let isOther = true;
    for (let index = 0; index < attachments.length; index += 2) {
      const document = attachments[index]!;
      if (folded === turnAt) {
        turnAt += FOLDED_A_TURN;
        await runtime.turn();
      }
      const found = tracked.find(document);
      const cached = found?.kept.value;
      const version = attachments[index + 1]!;
      if (!found || !cached) continue;
      isOther = false;
      if (version <= cached.version) continue;
      folded += 1;
      const collection = collections.get(found.collection)!;
      const isNext = version === cached.version + 1;
      const next = isNext ? foldEvent(read, collection, found.id, cached, event, version) : undefined;
      if (next && next.error === undefined) tracked.moveOn(found, next.folded);
      else tracked.lose(document);
    }
    if (isOther) others += 1;
  }
  return { folded, others };
}
