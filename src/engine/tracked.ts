/**
 * Cached documents that the log's tail keeps up to date. Where others write, each would have to be loaded before each batch;
 * instead the log since the last batch is read once, and their events are folded. It costs the store one range of the log.
 *
 * It is for speed alone: a tracked document may still be behind, and the store finds that out.
 */
import type { Limits } from '../limits.ts';
import type { Folded } from '../model/reduce.ts';
import { Recent, RecentDocuments, type Kept } from '../recent.ts';
import type { DocumentRef, LogPoint } from '../store/store.ts';
import type { DocumentCache } from './cache.ts';

/** Events that are read at once: folding them takes a few milliseconds. */
export const TRACKED_PAGE = 1_000;
export const TRACKED_PAGES_MAX = 2;
/** Loading a document costs as much as reading so many events: where more were missed, documents are loaded when asked for. */
const DOCUMENT_EVENTS = 4;
/**
 * Reading the log costs about as much as deciding so many commands again, and one more for so many events that are of no tracked
 * document. It is done once that many have fallen, so both cost the same.
 */
const FELL_MIN = 2;
const FELL_EVENTS = 128;
/** The weight of earlier pages beside the last. */
const EARLIER_PART = 0.8;

/** A tracked document, and where it is kept. */
export interface Tracked extends DocumentRef {
  readonly kept: Kept<Folded>;
}

export class TrackedDocuments {
  readonly #cache: DocumentCache;
  /** The store's numbers of documents, and documents by number. Each forgets by itself: tracked is what both know. */
  readonly #numbers: RecentDocuments<number>;
  readonly #tracks: Recent<number, Tracked>;
  #reached = 0;
  #isEmpty = true;
  /** Documents that were behind when this batch began, in their new state: decisions on the old one would have fallen. */
  readonly broughtUp = new Set<Folded>();
  /** The part of the newly read events that were of tracked documents. */
  #useful = 1;

  constructor(cache: DocumentCache, { cacheEntriesMax }: Pick<Limits, 'cacheEntriesMax'>) {
    this.#cache = cache;
    this.#numbers = new RecentDocuments(cacheEntriesMax);
    this.#tracks = new Recent(cacheEntriesMax);
  }

  /** The position that they are as of, or later. */
  get reached(): number {
    return this.#reached;
  }

  /** Tracks a document that was loaded just now, and is in the cache. `end` is the end of the log that was seen. */
  add({ collection, id }: DocumentRef, document: number, end: LogPoint): void {
    const kept = this.#cache.find(collection, id);
    // It may be too large for the cache.
    if (!kept) return;
    if (this.#isEmpty) this.#reached = end.position;
    this.#isEmpty = false;
    this.#numbers.set(collection, id, document);
    this.#tracks.set(document, { collection, id, kept });
  }

  has({ collection, id }: DocumentRef): boolean {
    const document = this.#numbers.get(collection, id);
    return document !== undefined && this.#tracks.get(document)?.kept.value !== undefined;
  }

  find(document: number): Tracked | undefined {
    return this.#tracks.get(document);
  }

  /** This server has stored what is between these ends, and the cache has taken it in. */
  advance(before: number, end: number): void {
    if (this.#reached === before) this.#reached = end;
  }

  /** Whether bringing them up to date pays, when so many commands have fallen since the last time, or would have without it. */
  isWorth(fell: number, { position }: LogPoint): boolean {
    // No more than that is read before one batch.
    const events = Math.min(position - this.#reached, TRACKED_PAGES_MAX * TRACKED_PAGE);
    return fell >= FELL_MIN && fell * FELL_EVENTS >= events * (1 - this.#useful);
  }

  /** Whether so much was missed that loading documents when asked for is cheaper. */
  isFarBehind({ position }: LogPoint): boolean {
    return position - this.#reached > Math.max(TRACKED_PAGE, this.#tracks.size * DOCUMENT_EVENTS);
  }

  moveOn(tracked: Tracked, folded: Folded): void {
    this.#cache.advance(tracked, tracked.kept, folded);
    this.broughtUp.add(folded);
  }

  /** It was loaded before it was tracked, or can't be folded. */
  lose(document: number): void {
    this.#tracks.delete(document);
  }

  /** Events up to here were taken in: so many of tracked documents that weren't known before, so many of others. */
  passTo(position: number, folded: number, others: number): void {
    this.#reached = position;
    if (folded + others > 0)
      this.#useful = this.#useful * EARLIER_PART + (1 - EARLIER_PART) * (folded / (folded + others));
  }

  /** Starts from here; documents tracked before are loaded when they are asked for. */
  restart({ position }: LogPoint): void {
    this.#tracks.clear();
    this.#isEmpty = true;
    this.#reached = position;
  }
}
