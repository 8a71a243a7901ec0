/**
 * Cached documents that the log's tail keeps up to date. Where others write, each of them would have to be loaded before each
 * batch that it is decided on; instead what has happened since the last batch is read once, in one piece, and what concerns
 * them is folded. It costs the store a range of the log, whatever is asked for.
 *
 * It is for speed alone: a document that is tracked may still be behind, and the store finds that out.
 */
import { hasCode } from '../../errors.ts';
import type { Limits } from '../../limits.ts';
import type { Folded } from '../../model/reduce.ts';
import type { DocumentRef, LogPoint, ScannedEvent, Session } from '../../store/store.ts';
import { Recent, RecentDocuments, type Kept } from '../../recent.ts';
import type { DocumentCache } from '../cache.ts';
import type { Core } from '../core.ts';
import { eventReader, foldEvent } from '../reading/document-reader.ts';

/** Events that are read at once: folding them takes a few milliseconds. */
const PAGE = 1_000;
/** Attached events that are folded between two turns of the event loop: of some a page has ten times as many as events. */
const FOLDED_A_TURN = 1_000;
/** Pages that are read before one batch. */
const PAGES_MAX = 2;
/** Loading a document costs as much as reading so many events: where more have been missed, each is loaded when it is asked for. */
const DOCUMENT_EVENTS = 4;
/**
 * Reading what has happened costs about as much as deciding so many commands once more, and another for so many events that
 * turn out to be of no tracked document. It is done once that many have fallen: so both cost the same, and neither much.
 */
const FELL_MIN = 2;
const FELL_EVENTS = 128;
/** How much of what is known of earlier pages counts beside the last. */
const KEPT = 0.8;

interface Tracked extends DocumentRef {
  readonly kept: Kept<Folded>;
}

const everything = (): boolean => true;

export class TrackedDocuments {
  readonly #cache: DocumentCache;
  /** What the store calls them; and what they are, by that. Each forgets by itself: tracked is what both know. */
  readonly #numbers: RecentDocuments<number>;
  readonly #tracks: Recent<number, Tracked>;
  /** They are as of this position, or of a later one. */
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
    const events = Math.min(position - this.#reached, PAGES_MAX * PAGE);
    return fell >= FELL_MIN && fell * FELL_EVENTS >= events * (1 - this.#useful);
  }

  /** Takes in what has happened up to the end of the log; or some of it, if that is much. Whether it was all. */
  async bringUp(core: Core, io: Pick<Session, 'scan' | 'commits'>): Promise<boolean> {
    const { watermark, runtime } = core;
    // Also if nothing is known to have happened: others may have written since.
    for (let pages = 0; pages === 0 || this.#reached < watermark.seen.position; pages += 1) {
      if (pages === PAGES_MAX) return false;
      if (pages > 0) await runtime.turn();
      const before = watermark.seen;
      const most = Math.max(PAGE, this.#tracks.size * DOCUMENT_EVENTS);
      if (before.position - this.#reached > most) this.#restart(before);
      try {
        const range = { after: this.#reached, limit: PAGE, known: everything, seen: before };
        const page = await io.scan(range);
        await watermark.observe(before, page.end, io, page.holds);
        await this.#takeIn(core, page.events);
        this.#reached = page.next ?? page.end.position;
        // So long are the texts, or so many the attachments.
        if (page.next !== undefined && page.events.length < PAGE) this.#restart(watermark.seen);
      } catch (error) {
        // It can be done without, and the batch may need nothing else of the store.
        if (hasCode(error, 'StoreUnavailable', 'ConnectionsBusy')) return false;
        // Whoever asks for what is damaged loads it, and is told then.
        if (!hasCode(error, 'LogCorrupt')) throw error;
        this.#restart(watermark.seen);
      }
    }
    return true;
  }

  /** From here on; whatever was tracked is loaded when it is asked for. */
  #restart({ position }: LogPoint): void {
    this.#tracks.clear();
    this.#isEmpty = true;
    this.#reached = position;
  }

  async #takeIn(core: Core, events: readonly ScannedEvent[]): Promise<void> {
    const { collections, runtime } = core;
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
        const tracked = this.#tracks.get(document);
        const cached = tracked?.kept.value;
        const version = attachments[index + 1]!;
        if (!tracked || !cached) continue;
        isOther = false;
        if (version <= cached.version) continue;
        folded += 1;
        const collection = collections.get(tracked.collection)!;
        if (version === cached.version + 1) {
          const next = foldEvent(read, collection, tracked.id, cached, event, version);
          if (next.error === undefined) {
            this.#cache.advance(tracked, tracked.kept, next.folded);
            this.take(next.folded);
            continue;
          }
        }
        // It was loaded longer ago than it was tracked, or can't be folded.
        this.#tracks.delete(document);
      }
      if (isOther) others += 1;
    }
    if (folded + others > 0) this.#useful = this.#useful * KEPT + (1 - KEPT) * (folded / (folded + others));
  }
}
