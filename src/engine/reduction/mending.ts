/**
 * Documents that couldn't be folded further are tried again when an application is opened: its code may be able to. A few at a time,
 * beside the reduction. And again when it meets one later that its own code hasn't failed at: another server has stored it.
 */
import { hasCode } from '../../errors.ts';
import { unborn, type Folded } from '../../model/reduce.ts';
import type { StoredDocument, Stepped } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { loadDocuments, type Wanted } from '../reading/document-reader.ts';
import type { Change } from './drafted.ts';
import { isSamePlace } from './marks.ts';
import type { StoredSet } from './set.ts';
import { afterId, failureText, knownFrom, type Known } from '../reading/stored-document.ts';

/** Documents of a page. */
const PAGE_DOCUMENTS = 20;
/** After a round, and where the set had moved meanwhile, the next try comes so many milliseconds later. */
const PAUSE_MS = 50;

/** One that may have come further than it is stored. */
interface Tried extends Change {
  readonly was: Known;
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
    return !this.#isOver || this.#set.hasMetFailed;
  }

  /** Tries the next page. Undefined if there was nothing to store. */
  async step(): Promise<Stepped | undefined> {
    const { number, place } = this.#set;
    if (!place) return this.#again('moved');
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

  /** What came further than it is stored. */
  async #foldedAgain(documents: readonly StoredDocument[], asOf: number): Promise<readonly Tried[]> {
    const { collection, failed } = this.#set;
    const begun: { readonly was: Known; readonly wanted: Wanted }[] = [];
    for (const document of documents) {
      const { id } = document;
      const was = knownFrom(collection.name, document);
      const from = this.#begin(id, was);
      if (from) begun.push({ was, wanted: { collection, id, from } });
      else failed.set(id, was.failed!);
    }
    if (begun.length === 0) return [];
    const wanted = begun.map((one) => one.wanted);
    const { found } = await loadDocuments(this.#core, this.#core.untilClosed, wanted, asOf);
    return found.flatMap(({ folded, error }, at): Tried[] => {
      const { was } = begun[at]!;
      const { id } = begun[at]!.wanted;
      if (error === undefined) return [{ id, was, now: { folded } }];
      if (!hasCode(error, 'ReducerFailed', 'UpcastFailed')) throw error;
      const reason = failureText(error);
      failed.set(id, reason);
      return folded.version > was.folded.version ? [{ id, was, now: { folded, failed: reason } }] : [];
    });
  }

  /** Undefined if its initial state still can't be made. */
  #begin(id: string, { folded }: Known): Folded | undefined {
    if (folded.version > 0) return folded;
    try {
      return unborn(this.#set.collection, id);
    } catch (error) {
      if (!hasCode(error, 'ReducerFailed')) throw error;
      return undefined;
    }
  }
}
