/**
 * Documents that couldn't be folded further are tried again when an application is opened: its code may be able to. A few at a time,
 * beside the reduction. And again when it meets one later that its own code hasn't failed at: another server has stored it.
 *
 * So are those that had become too large to be stored, when events of them come and it isn't known how they are: one at a time, and
 * for a small part of the time however many there are, and however often.
 */
import { hasCode } from '../../errors.ts';
import { unborn, type Folded } from '../../model/reduce.ts';
import type { LogPoint, StoredDocument, Stepped } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { loadDocuments, type Wanted } from '../reading/document-reader.ts';
import type { Change } from './drafted.ts';
import { isSamePlace } from './marks.ts';
import type { StoredSet } from './set.ts';
import { afterId, failureText, isStorable, isTooLarge, knownFrom, type Known } from '../reading/stored-document.ts';

/** Documents of a page. */
const PAGE_DOCUMENTS = 20;
/** After a round, and where the set had moved meanwhile, the next try comes so many milliseconds later. */
const PAUSE_MS = 50;
/** After one that is too large was folded from where it is stored, it pauses so many times as long as that took. */
const LARGE_PAUSES = 4;

/** One that may have come further than it is stored. */
interface Tried extends Change {
  readonly was: Known;
}

/** One that is to be folded from where it is stored. */
interface Begun {
  readonly was: Known;
  readonly wanted: Wanted;
  /** Its last version that isn't too large to be stored, of those that were folded now. */
  fits: Folded | undefined;
}

export class Mending {
  readonly #core: Core;
  readonly #set: StoredSet;
  #from: Uint8Array | undefined;
  #mended = 0;
  #pausedUntil = -Infinity;
  #isOver = false;

  constructor(core: Core, set: StoredSet) {
    this.#core = core;
    this.#set = set;
  }

  /** Whether there may be something to do now. */
  get isDue(): boolean {
    return this.isOpen && this.#core.runtime.elapsed() >= this.#pausedUntil;
  }

  /** Whether it isn't done with all documents. */
  get isOpen(): boolean {
    return !this.#isOver || this.#set.hasMetFailed || this.#set.unsure.size > 0;
  }

  /** Tries the next page. Undefined if there was nothing to store. */
  async step(): Promise<Stepped | undefined> {
    const { number, place, hasMetFailed } = this.#set;
    if (!place) return this.#again('moved');
    if (this.#isOver && !hasMetFailed) return this.#sure(place);
    if (this.#from === undefined) this.#set.hasMetFailed = false;
    const page = await this.#core.untilClosed.stored({
      set: number,
      from: this.#from,
      failed: true,
      limit: PAGE_DOCUMENTS,
    });
    if (!page) return this.#again('behind');
    if (!isSamePlace(page.place, place)) return this.#again('moved');
    const tried = await this.#foldedAgain(page.documents, place.position);
    const stepped = tried.length > 0 ? await this.#set.mend(place, tried) : undefined;
    if (stepped === 'moved' || stepped === 'behind') return this.#again(stepped);
    this.#mended += tried.filter(({ id }) => !this.#set.failed.has(id)).length;
    const last = page.documents.at(-1);
    if (page.more && last) this.#from = afterId(last.id);
    else this.#round();
    return stepped;
  }

  /** Folds one of those that were too large to be stored. */
  async #sure(place: LogPoint): Promise<Stepped | undefined> {
    const { number, unsure } = this.#set;
    const { runtime, untilClosed } = this.#core;
    const [id] = unsure;
    const began = runtime.elapsed();
    const page = await untilClosed.stored({ set: number, ids: [id!] });
    if (!page) return this.#again('behind');
    if (!isSamePlace(page.place, place)) return this.#again('moved');
    const tried = await this.#foldedAgain(page.documents.filter(isTooLarge), place.position);
    const stepped = tried.length > 0 ? await this.#set.mend(place, tried) : undefined;
    if (stepped === 'moved' || stepped === 'behind') return this.#again(stepped);
    unsure.delete(id!);
    const now = runtime.elapsed();
    this.#pausedUntil = now + Math.max(PAUSE_MS, LARGE_PAUSES * (now - began));
    return stepped;
  }

  #again(stepped: Stepped): Stepped {
    this.#set.forget();
    this.#pausedUntil = this.#core.runtime.elapsed() + PAUSE_MS;
    return stepped;
  }

  /** The set may have moved between two pages: they are all looked at once more, until none was mended. */
  #round(): void {
    this.#isOver = this.#mended === 0;
    this.#from = undefined;
    this.#mended = 0;
    this.#pausedUntil = this.#core.runtime.elapsed() + PAUSE_MS;
  }

  /** What came further than it is stored. Those that were too large one after the other: most of them still are. */
  async #foldedAgain(documents: readonly StoredDocument[], asOf: number): Promise<readonly Tried[]> {
    const tried: Tried[] = [];
    const begun: Begun[] = [];
    for (const document of documents) {
      const one = this.#begin(document);
      if (!one) this.#set.failed.set(document.id, document.failed!);
      else if (!isTooLarge(document)) begun.push(one);
      else {
        const found = await this.#loaded([one], asOf);
        const isStill = found.every(({ now, fits }) => now.failed === undefined && fits === undefined);
        if (isStill) this.#stillLarge(one, found);
        else tried.push(...found);
      }
    }
    if (begun.length > 0) tried.push(...(await this.#loaded(begun, asOf)));
    return tried;
  }

  #stillLarge({ was, wanted: { id } }: Begun, found: readonly Tried[]): void {
    this.#set.failed.set(id, was.failed!);
    this.#set.unsure.delete(id);
    for (const { now } of found) this.#set.keepLarge(id, now.folded);
  }

  async #loaded(begun: readonly Begun[], asOf: number): Promise<readonly Tried[]> {
    const wanted = begun.map((one) => one.wanted);
    const { found } = await loadDocuments(this.#core, this.#core.untilClosed, wanted, asOf);
    return found.flatMap(({ folded, error }, at): Tried[] => {
      const { was, fits, wanted: asked } = begun[at]!;
      const { id } = asked;
      if (error === undefined) return [{ id, was, now: { folded }, fits }];
      if (!hasCode(error, 'ReducerFailed', 'UpcastFailed')) throw error;
      const reason = failureText(error);
      this.#set.failed.set(id, reason);
      return folded.version > was.folded.version || isTooLarge(was)
        ? [{ id, was, now: { folded, failed: reason }, fits }]
        : [];
    });
  }

  /** Undefined if its initial state still can't be made. */
  #begin(document: StoredDocument): Begun | undefined {
    const { collection, number } = this.#set;
    const { id } = document;
    const was = knownFrom(collection.name, document);
    // One that is rebuilt isn't begun with what it is to replace.
    const isApart = this.#core.membership.own.get(collection.name)?.definition.set !== number;
    try {
      const from = was.folded.version > 0 ? was.folded : unborn(collection, id);
      const each = (folded: Folded): void => {
        if (isStorable(folded)) begun.fits = folded;
      };
      const begun: Begun = { was, wanted: { collection, id, from, isApart, each }, fits: undefined };
      return begun;
    } catch (error) {
      if (!hasCode(error, 'ReducerFailed')) throw error;
      return undefined;
    }
  }
}
