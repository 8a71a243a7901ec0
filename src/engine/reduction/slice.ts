/**
 * A slice of the log that is reduced in one step: whole commits, as far as there are any, and not more documents of a collection
 * than a step stores. A commit that is larger than that is reduced in parts.
 */
import { GENESIS_HASH } from '../../store/chain.ts';
import { STEP_DOCUMENTS_MAX, type LogPoint, type ScannedEvent, type ScanPage } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { ReadingSession } from '../until-closed.ts';

/** Events of a slice: few enough to be folded and stored in some milliseconds. */
export const SLICE_EVENTS = 1_000;

/** The events of one document in a slice, in order; for each the version that it makes. */
export interface Moving {
  readonly collection: string;
  readonly id: string;
  readonly events: ScannedEvent[];
  readonly first: number;
  last: number;
}

export interface Slice {
  /** It begins after this position. */
  readonly from: number;
  readonly to: LogPoint;
  /** By the store's numbers. */
  readonly documents: ReadonlyMap<number, Moving>;
}

/** Names of documents by the store's numbers: those of other collections are known too, without one. */
export interface Names {
  get(document: number): { readonly collection: string; readonly id: string } | undefined;
  set(document: number, ref: { readonly collection: string; readonly id: string }): void;
}

/** The slice after a place, not beyond `until`; undefined if there is nothing after it. */
export async function sliceAfter(
  core: Core,
  reads: ReadingSession,
  from: number,
  until: number,
  names: Names,
): Promise<Slice | undefined> {
  const before = core.watermark.seen;
  const limit = Math.min(SLICE_EVENTS, until - from);
  // Names may be forgotten while they are asked for: those of this page are kept.
  const ofPage = new Map<number, { readonly collection: string; readonly id: string }>();
  const known = (document: number): boolean => {
    const ref = names.get(document);
    if (ref) ofPage.set(document, ref);
    return ref !== undefined;
  };
  const page = await reads.scan({ after: from, limit, known, seen: before });
  await core.watermark.observe(before, page.end, reads, page.holds);
  if (page.events.length === 0) return undefined;
  for (const { document, collection, id } of page.named) {
    const ref = { collection, id };
    names.set(document, ref);
    ofPage.set(document, ref);
  }
  const fitting = fittingEvents(core, page, ofPage);
  const to = await commitEnd(reads, page.end, from, fitting);
  return { from, to, documents: gathered(core, page.events, to.position, ofPage) };
}

type Refs = ReadonlyMap<number, { readonly collection: string; readonly id: string }>;

/** The last position before a collection would have too many documents; at least that of the first event. */
function fittingEvents({ collections }: Core, { events }: ScanPage, refs: Refs): number {
  const counted = new Set<number>();
  const counts = new Map<string, number>();
  let last = events[0]!.position;
  for (const { attachments, position } of events) {
    for (let index = 0; index < attachments.length; index += 2) {
      const document = attachments[index]!;
      const collection = refs.get(document)!.collection;
      if (counted.has(document) || !collections.has(collection)) continue;
      counted.add(document);
      const count = (counts.get(collection) ?? 0) + 1;
      counts.set(collection, count);
      if (count > STEP_DOCUMENTS_MAX && position > events[0]!.position) return last;
    }
    last = position;
  }
  return last;
}

/** The last end of a commit up to a position; or that position, if the commit there has begun at or before `from`. */
export async function commitEnd(
  reads: ReadingSession,
  end: LogPoint,
  from: number,
  position: number,
): Promise<LogPoint> {
  if (position === end.position) return end;
  const point = await lastPoint(reads, position);
  return point.whole > from ? { position: point.whole, hash: point.hash } : point;
}

/** A place at a position: with the hash of the last commit that ends there or before; `whole` is its end. */
export async function lastPoint(
  reads: ReadingSession,
  position: number,
): Promise<LogPoint & { readonly whole: number }> {
  const [commit, earlier] = await reads.commits({ upTo: position, reverse: true, limit: 2 });
  if (commit && commit.position + commit.eventCount - 1 === position)
    return { position, hash: commit.hash, whole: position };
  return { position, hash: earlier?.hash ?? GENESIS_HASH, whole: (commit?.position ?? 1) - 1 };
}

function gathered(
  { collections }: Core,
  events: readonly ScannedEvent[],
  to: number,
  refs: Refs,
): ReadonlyMap<number, Moving> {
  const documents = new Map<number, Moving>();
  for (const event of events) {
    if (event.position > to) break;
    const { attachments } = event;
    for (let index = 0; index < attachments.length; index += 2) {
      const document = attachments[index]!;
      const version = attachments[index + 1]!;
      const moving = documents.get(document);
      if (moving) {
        moving.events.push(event);
        moving.last = version;
        continue;
      }
      const { collection, id } = refs.get(document)!;
      if (collections.has(collection))
        documents.set(document, { collection, id, events: [event], first: version, last: version });
    }
  }
  return documents;
}
