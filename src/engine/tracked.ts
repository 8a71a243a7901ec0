/**
 * Cached documents that the log's tail keeps up to date. Where others write, each of them would have to be loaded before each
 * batch that it is decided on; instead what has happened since the last batch is read once, in one piece, and what concerns
 * them is folded. It costs the store a range of the log, whatever is asked for.
 *
 * It is for speed alone: a document that is tracked may still be behind, and the store finds that out.
 */
import type { Limits } from '../limits.ts';
import type { Folded } from '../model/reduce.ts';
import { Recent, RecentDocuments, type Kept } from '../recent.ts';
import type { DocumentRef, LogPoint } from '../store/store.ts';
import type { DocumentCache } from './cache.ts';

/** Events that are read at once: folding them takes a few milliseconds. */
export const TRACKED_PAGE = 1_000;
/** Pages that are read before one batch. */
export const TRACKED_PAGES_MAX = 2;
/** Loading a document costs as much as reading so many events: where more have been missed, each is loaded when it is asked for. */
const DOCUMENT_EVENTS = 4;
/**
 * Reading what has happened costs about as much as deciding so many commands once more, and another for so many events that
 * turn out to be of no tracked document. It is done once that many have fallen: so both cost the same, and neither much.
 */
const FELL_MIN = 2;
const FELL_EVENTS = 128;
/** How much of what is known of earlier pages counts beside the last. */
const EARLIER_PART = 0.8;

/** One of them, and where it is kept. */
export interface Tracked extends DocumentRef {
  readonly kept: Kept<Folded>;
}

export class TrackedDocuments {
  readonly #cache: DocumentCache;
  /** What the store calls them; and what they are, by that. Each forgets by itself: tracked is what both know. */
  readonly #numbers: RecentDocuments<number>;
  readonly #tracks: Recent<number, Tracked>;
  #reached = 0;
  #isEmpty = true;
  /** Those that were behind when this batch began, as they are now: what is decided on them would have fallen. */
  readonly #broughtUp = new Set<Folded>();
  /** Which part of the events that were read, and not known before, was of tracked documents. */
  #useful = 1;

  constructor(cache: DocumentCache, { cacheEntriesMax }: Pick<Limits, 'cacheEntriesMax'>) {
    this.#cache = cache;
    this.#numbers = new RecentDocuments(cacheEntriesMax);
    this.#tracks = new Recent(cacheEntriesMax);
  }

  /** They are as of this position, or of a later one. */
  get reached(): number {
    return this.#reached;
  }

  /** One that was loaded just now, and is in the cache. `end` is what has been seen of the log. */
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

  /** By what the store calls it. */
  find(document: number): Tracked | undefined {
    return this.#tracks.get(document);
  }

  /** One that was behind has been brought up to date for this batch. */
  take(folded: Folded): void {
    this.#broughtUp.add(folded);
  }

  /** Whether one was. */
  wasBehind(folded: Folded): boolean {
    return this.#broughtUp.has(folded);
  }

  /** A batch begins. */
  begin(): void {
    this.#broughtUp.clear();
  }

  /** We have stored what comes between these ends, and the cache has taken it in. */
  advance(before: number, end: number): void {
    if (this.#reached === before) this.#reached = end;
  }

  /**
   * Whether it is worth while to bring them up to date, where so many commands have fallen since that was done last, or would
   * have without.
   */
  isWorth(fell: number, { position }: LogPoint): boolean {
    // More than that isn't read before one batch.
    const events = Math.min(position - this.#reached, TRACKED_PAGES_MAX * TRACKED_PAGE);
    return fell >= FELL_MIN && fell * FELL_EVENTS >= events * (1 - this.#useful);
  }

  /** Whether so much was missed that what is asked for is better loaded. */
  isFarBehind({ position }: LogPoint): boolean {
    return position - this.#reached > Math.max(TRACKED_PAGE, this.#tracks.size * DOCUMENT_EVENTS);
  }

  /** The next event of one was folded. */
  moveOn(tracked: Tracked, folded: Folded): void {
    this.#cache.advance(tracked, tracked.kept, folded);
    this.take(folded);
  }

  /** It was loaded longer ago than it was tracked, or can't be folded. */
  lose(document: number): void {
    this.#tracks.delete(document);
  }

  /** Events up to here were taken in: so many were of tracked documents and not known before, so many of others alone. */
  passTo(position: number, folded: number, others: number): void {
    this.#reached = position;
    if (folded + others > 0)
      this.#useful = this.#useful * EARLIER_PART + (1 - EARLIER_PART) * (folded / (folded + others));
  }

  /** From here on; whatever was tracked is loaded when it is asked for. */
  restart({ position }: LogPoint): void {
    this.#tracks.clear();
    this.#isEmpty = true;
    this.#reached = position;
  }
}
