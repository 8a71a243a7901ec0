/**
 * Reduction by several servers side by side, while others append: as the engine does it, with the smallest fold.
 */
import { Buffer } from 'node:buffer';
import assert from 'node:assert/strict';
import { setImmediate as pause } from 'node:timers/promises';
import type { LogPoint, Session, StoredDocument, StoredEvent } from '../../../store/store.ts';
import { commit, event, GENESIS, range, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { allEvents, type TestLog } from '../log.ts';
import { same } from '../plain.ts';
import { addIndex } from '../registered.ts';
import { document, entry, gone, pointOf, TestSet } from '../sets.ts';

/** What reduction makes of a document: how many events it has, and where the last of them is. */
const folded = (id: string, version: number, position: number): StoredDocument =>
  document(id, version, { state: JSON.stringify({ position, version }) });

/** The documents as of a position. */
function foldOf(events: readonly StoredEvent[], position: number): StoredDocument[] {
  const documents = new Map<string, StoredDocument>();
  for (const one of events.slice(0, position))
    for (const { id, version } of one.attachments) documents.set(id, folded(id, version, one.position));
  return [...documents.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
}

/** By the version, then the id. */
const keyOf = ({ id, version }: StoredDocument): readonly number[] => [
  version >> 8,
  version & 0xff,
  ...Buffer.from(id),
];

const isLast = ({ position, commit: { position: first, eventCount } }: StoredEvent): boolean =>
  position === first + eventCount - 1;

/** Where a set is that has taken in these events: within a commit, it has the hash of the last whole one. */
function placeAfter(from: LogPoint, events: readonly StoredEvent[]): LogPoint {
  const hash = events.findLast(isLast)?.commit.hash ?? from.hash;
  return { position: from.position + events.length, hash };
}

/** Takes the next events in. Says whether it was first with them; undefined if there were none. */
async function reduce(set: TestSet, index: number, by: Session): Promise<boolean | undefined> {
  const { place } = await set.page({ limit: 0 }, by);
  const { events, end } = await by.read({ after: place.position, limit: 5 });
  if (events.length === 0) return undefined;
  const ids = [...new Set(events.flatMap(({ attachments }) => attachments.map(({ id }) => id)))];
  const before = await set.byIds(ids, by);
  // Others have their turn, as with a fold that takes long.
  await pause();
  const documents = foldOf(events, events.length);
  const answer = await by.advance(
    set.step(documents, {
      from: place,
      to: placeAfter(place, events),
      seen: end,
      dropped: before.documents.map((one) => gone(index, keyOf(one))),
      added: documents.map((one) => entry(index, keyOf(one), one.id)),
    }),
  );
  assert.notEqual(answer, 'behind');
  return answer === 'stored';
}

/** Appends commits of one to four events, attached to one or two of four users. */
async function write(log: TestLog, by: Session, server: number, generation: number): Promise<void> {
  for (const n of range(1, 12)) {
    const events = range(0, n % 4).map((m) =>
      event('NOTED', user(`u${(n + m) % 4}`), ...(m % 2 ? [user(`v${server}`)] : [])),
    );
    await log.append(commit(`c${server}-${n}`, events), { by, generation, seen: GENESIS });
    await pause();
  }
}

export const sideBySideCases = [
  onLog(6, 'a reader sees a set only as of a place, while servers append and reduce side by side', async (log) => {
    const { number } = TestSet.of(log);
    const index = await addIndex(log.session, number, { state: 'live' });
    const set = new TestSet(log, number, log.generation + 1);
    const [reader, first, second, third, ...writers] = await log.sessions(6);
    const racing = { isWritten: false, isReduced: false };
    const counts = { stored: 0, moved: 0 };
    const server = async (by: Session): Promise<void> => {
      for (let last = false; ;) {
        const isFirst = await reduce(set, index, by);
        if (isFirst === undefined && last) return;
        last = isFirst === undefined && racing.isWritten;
        if (isFirst !== undefined) counts[isFirst ? 'stored' : 'moved'] += 1;
        await pause();
      }
    };
    const seen: { readonly position: number; readonly documents: readonly StoredDocument[] }[] = [];
    const follow = async (): Promise<void> => {
      for (let last = false; !last; await pause()) {
        last = racing.isReduced;
        const { place, documents } = await set.page({ limit: 100, reverse: seen.length % 2 === 0 }, reader);
        const inOrder = seen.length % 2 === 0 ? documents.toReversed() : documents;
        seen.push({ position: place.position, documents: inOrder });
        const indexed = await set.page({ index, limit: 100 }, reader);
        const keys = indexed.documents.map((one) => Buffer.from(keyOf(one)));
        same(keys, keys.toSorted(Buffer.compare), 'an index has an entry of another version than that of its document');
        const byId = indexed.documents.toSorted((one, other) => (one.id < other.id ? -1 : 1));
        seen.push({ position: indexed.place.position, documents: byId });
      }
    };
    const written = Promise.all(writers.map((by, n) => write(log, by, n, set.generation)));
    const reducing = [first!, second!, third!].map(server);
    void written.finally(() => (racing.isWritten = true)).catch(() => undefined);
    const reduced = Promise.all([written, ...reducing]).finally(() => (racing.isReduced = true));
    await Promise.all([reduced, follow()]);
    const events = await allEvents(log.session);
    for (const { position, documents } of seen) same(documents, foldOf(events, position), `as of ${position}`);
    const positions = seen.map(({ position }) => position);
    same(
      positions,
      positions.toSorted((a, b) => a - b),
      'a set went back',
    );
    same([positions.at(-1), (await set.page({ limit: 0 })).place], [events.length, pointOf(log.end)]);
    const places = new Set(positions).size;
    assert(places > 3 && counts.moved > 0, `${places} places seen, ${counts.moved} steps lost: this shows nothing`);
  }),
];
