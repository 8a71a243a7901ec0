/**
 * A set of stored documents that this server moves on: where it is, and what is known of its documents. Other servers may move it
 * too; then what is known here is out of date, which the place shows.
 */
import { LogCorrupt } from '../../errors.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import type { Folded } from '../../model/reduce.ts';
import { RecentDocuments } from '../../recent.ts';
import { STEP_DOCUMENTS_MAX, type Index, type LogPoint, type SetStep, type Stepped } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Pace } from '../pace.ts';
import { draftedInTurns, gathered, type Change, type Drafted } from './drafted.ts';
import { isSamePlace, mendedAt } from './marks.ts';
import { isTooLarge, type Known } from '../reading/stored-document.ts';

/** Documents whose stored form is kept in memory: those moved last. */
const KNOWN_MAX = 20_000;
/** Bytes of their states: in memory a list of numbers takes eight times as much. */
const KNOWN_BYTES_MAX = 8 * 1024 * 1024;
/** The same of documents that are too large to be stored, and are folded on in memory. */
const LARGE_MAX = 1_000;
const LARGE_BYTES_MAX = 64 * 1024 * 1024;

export class StoredSet {
  readonly number: number;
  readonly collection: CollectionDefinition;
  /** Undefined until the store has said it. */
  place: LogPoint | undefined;
  /** Documents that couldn't be folded further, as far as this server has met them. */
  readonly failed = new Map<string, string>();
  /** Whether it has met a document that other code has failed at. */
  hasMetFailed = false;
  /** So many documents are read at once: fewer, where those read last were large. */
  readMax = STEP_DOCUMENTS_MAX;
  /** Documents that may not be too large any more, and how they are isn't known: they are folded from where they are stored. */
  readonly unsure = new Set<string>();
  readonly #core: Core;
  #known = nothingKnown();
  readonly #large = new RecentDocuments<Folded>(LARGE_MAX, { max: LARGE_BYTES_MAX, of: ({ bytes }) => bytes });

  constructor(core: Core, collection: CollectionDefinition, number: number) {
    this.#core = core;
    this.collection = collection;
    this.number = number;
  }

  /** Asks the store where it is. False if there is no such set any more. */
  async look(): Promise<boolean> {
    const page = await this.#core.untilClosed.stored({ set: this.number, limit: 0 });
    if (page) this.#arrive(page.place);
    return page !== undefined;
  }

  /** The indexes of it that are registered, as this server knows. */
  indexes(): readonly Index[] {
    const own = this.#core.membership.own.get(this.collection.name);
    return own?.indexes.filter((index) => index.set === this.number) ?? [];
  }

  /** Sends a step. @throws HistoryDiverged if the store doesn't hold the events that it was made of */
  async advance(step: Omit<SetStep, 'set' | 'seen'>): Promise<Stepped> {
    const { session, untilClosed, watermark } = this.#core;
    // Another server may have moved the set further than this one has seen the log.
    if (watermark.seen.position < step.to.position) await watermark.look(untilClosed);
    const stepped = await session.advance({ ...step, set: this.number, seen: watermark.seen });
    if (stepped === 'diverged') throw watermark.diverge();
    return stepped;
  }

  /**
   * Stores documents that had failed, as far as they could be folded now. Undefined if none came further, and none has become too
   * large. The place is marked: a step of a server that has read them before is `moved` then.
   */
  async mend(place: LogPoint, tried: readonly (Change & { readonly was: Known })[]): Promise<Stepped | undefined> {
    let stepped: Stepped | undefined;
    let from = place;
    for (let left = tried; left.length > 0;) {
      const { generation } = this.#core.membership;
      const documents = await draftedInTurns(this.collection.name, this.indexes(), left, new Pace(this.#core.runtime));
      const further = documents.filter(({ now }, at) => isFurther(now, left[at]!.was));
      for (const { id, now } of documents) if (now.failed !== undefined) this.failed.set(id, now.failed);
      for (const { id, large } of documents) if (large) this.keepLarge(id, large);
      left = left.slice(documents.length);
      if (further.length === 0) continue;
      const to = mendedAt(this.#core.runtime, place);
      stepped = await this.advance({ generation, from, to, ...gathered(further) });
      if (stepped !== 'stored') break;
      this.took(further, to);
      from = to;
    }
    return stepped;
  }

  #arrive(place: LogPoint): void {
    if (this.place && !isSamePlace(this.place, place)) this.#known = nothingKnown();
    this.place = place;
  }

  /** Where it is must be asked again, and what its documents are: they belong together. */
  forget(): void {
    this.#known = nothingKnown();
    this.place = undefined;
  }

  /** A document as it is stored, if that is known. */
  known(id: string): Known | undefined {
    return this.#known.get(this.collection.name, id);
  }

  /** One that is too large to be stored, folded to its version; undefined if that isn't known. */
  large(id: string): Folded | undefined {
    return this.#large.get(this.collection.name, id);
  }

  keepLarge(id: string, folded: Folded): void {
    this.#large.set(this.collection.name, id, folded);
  }

  /** A document that has failed was met: it isn't changed by what comes, so it would be read again with each event. */
  metFailed(id: string, known: Known): void {
    this.#known.set(this.collection.name, id, known);
    if (!this.failed.has(id)) this.hasMetFailed = true;
  }

  gap(id: string, version: number, found: number): LogCorrupt {
    const { name } = this.collection;
    return new LogCorrupt(
      `The stored document ${name} ${JSON.stringify(id)} is at version ${version}, and its next event is of version ${found}. Run ` +
        'verify, then rebuild the collection.',
      { collection: name, id, version, found },
    );
  }

  /** These were stored. */
  took(documents: readonly Drafted[], to: LogPoint): void {
    this.place = to;
    for (const { id, now, large } of documents) {
      this.#known.set(this.collection.name, id, now);
      if (large) this.keepLarge(id, large);
      else this.#large.delete(this.collection.name, id);
      if (now.failed === undefined) this.failed.delete(id);
      else this.failed.set(id, now.failed);
    }
  }
}

function isFurther(now: Known, was: Known): boolean {
  return now.folded.version > was.folded.version || isTooLarge(now) !== isTooLarge(was);
}

function nothingKnown(): RecentDocuments<Known> {
  return new RecentDocuments(KNOWN_MAX, { max: KNOWN_BYTES_MAX, of: ({ folded }) => folded.bytes });
}
