/**
 * Documents that several callers ask for at once are loaded together: a load costs the store one statement. No answer is older
 * than its question, and each caller gets its documents as of one point of the log.
 */
import { Overloaded } from '../../errors.ts';
import { Line } from '../../line.ts';
import { DocumentMap } from '../../document-map.ts';
import type { Core } from '../core.ts';
import { loadDocuments, Loading, type FoundDocument, type Wanted } from './document-reader.ts';
import { concernsAll } from '../outage.ts';
import { InTurn } from '../in-turn.ts';

/** Documents of one load; a caller that asks for more has its own. More would hold the event loop. */
const LOAD_DOCUMENTS = 500;
/** The part of the room that is kept for callers that ask for so few documents. */
const KEPT_PART = 0.1;
const FEW = 100;
/** Loads of the past under way at once: one is answered while the next is read. */
const LOADS_AT_ONCE = 2;

interface LoadCaller {
  /** The cache's when its documents were taken from there. */
  readonly epoch: number;
  readonly wanted: readonly Wanted[];
  readonly resolve: (found: readonly FoundDocument[]) => void;
  readonly reject: (error: unknown) => void;
}

export class SharedLoad {
  readonly #core: Core;
  /**
   * Callers whose documents are all cached, and lack little; and the others. Each line has its own load under way, so documents in
   * use don't wait behind thousands that aren't.
   */
  readonly #cached = new Line<LoadCaller>();
  readonly #uncached = new Line<LoadCaller>();
  readonly #running = new Set<Line<LoadCaller>>();
  #documents = 0;
  /** Loads of the past, each of its own point; documents take turns. */
  readonly #past = new InTurn(LOADS_AT_ONCE);
  readonly #long = new Line<Shared>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** The documents as they were at a position. @throws Overloaded; and see `loadDocuments` */
  async loadPast(wanted: readonly Wanted[], positionOf: () => Promise<number>): Promise<readonly FoundDocument[]> {
    const refusal = this.#refusalOf(wanted.length);
    if (refusal) throw refusal;
    const { promise, resolve, reject } = Promise.withResolvers<readonly FoundDocument[]>();
    this.#documents += wanted.length;
    try {
      await this.#past.run(async () => {
        const asOf = await positionOf();
        await this.#begin(new Shared(this.#core, [{ epoch: this.#core.cache.epoch, wanted, resolve, reject }], asOf));
      }, laneOf(wanted));
      return await promise;
    } finally {
      this.#documents -= wanted.length;
    }
  }

  /** The documents as they are now. @throws Overloaded; and see `loadDocuments` */
  load(wanted: readonly Wanted[]): Promise<readonly FoundDocument[]> {
    const refusal = this.#refusalOf(wanted.length);
    if (refusal) return Promise.reject(refusal);
    const { promise, resolve, reject } = Promise.withResolvers<readonly FoundDocument[]>();
    const isCached = wanted.every(({ from }) => from.version > 0);
    (isCached ? this.#cached : this.#uncached).add({ epoch: this.#core.cache.epoch, wanted, resolve, reject });
    this.#documents += wanted.length;
    void this.#run(this.#cached);
    void this.#run(this.#uncached);
    return promise;
  }

  /** The error if too many wait. Some of the room is kept for callers that ask for few. */
  #refusalOf(documents: number): Overloaded | undefined {
    const { getDocumentsWaitingMax } = this.#core.limits;
    const max = documents > FEW ? Math.floor(getDocumentsWaitingMax * (1 - KEPT_PART)) : getDocumentsWaitingMax;
    if (this.#documents === 0 || this.#documents + documents <= max) return undefined;
    return new Overloaded(
      `${this.#documents} documents are waiting to be read already: get them again later, fewer at once, or raise limits.getDocumentsWaitingMax.`,
      { waiting: this.#documents, max: getDocumentsWaitingMax, limit: 'getDocumentsWaitingMax' },
    );
  }

  /** One load at a time for each line. The uncached line's goes on with the cached if its own is empty. */
  async #run(own: Line<LoadCaller>): Promise<void> {
    if (this.#running.has(own)) return;
    this.#running.add(own);
    // Calls of the same turn share it.
    await undefined;
    for (;;) {
      const next = this.#take(own.size > 0 ? own : this.#cached);
      if (next.length === 0) break;
      await this.#begin(new Shared(this.#core, next));
    }
    this.#running.delete(own);
  }

  #take(line: Line<LoadCaller>): readonly LoadCaller[] {
    const taken: LoadCaller[] = [];
    let documents = 0;
    for (let next = line.first; next; next = line.first) {
      if (taken.length > 0 && documents + next.wanted.length > LOAD_DOCUMENTS) break;
      // What one of them knows of a document is no beginning for another that came after it was forgotten.
      if (taken.length > 0 && taken[0]!.epoch !== next.epoch) break;
      documents += next.wanted.length;
      taken.push(next);
      line.next();
    }
    this.#documents -= documents;
    return taken;
  }

  /** Never rejects: the callers get the errors. */
  async #begin(shared: Shared): Promise<void> {
    const { runtime, limits } = this.#core;
    const until = runtime.elapsed() + limits.batchDecideMs;
    await shared.step();
    // The first answer may hold one document only; the next has those that lack least.
    do if (!shared.isOver) await shared.step();
    while (!shared.isOver && runtime.elapsed() < until);
    if (shared.isOver) return;
    // Other loads don't wait for a document with a long history.
    this.#documents += shared.documents;
    this.#long.add(shared);
    if (this.#long.size === 1) void this.#goOn();
  }

  /** Loads that take long get an answer of the store in turn. */
  async #goOn(): Promise<void> {
    for (let shared = this.#long.first; shared; shared = this.#long.first) {
      await shared.step();
      this.#long.next();
      if (shared.isOver) this.#documents -= shared.documents;
      else this.#long.add(shared);
    }
  }
}

/** One load, and the callers that still wait for it. */
class Shared {
  readonly #core: Core;
  readonly #loading: Loading;
  /** By caller, the places of its documents in the load. */
  readonly #waiting: Map<LoadCaller, readonly number[]>;
  readonly documents: number;

  constructor(core: Core, asked: readonly LoadCaller[], asOf?: number) {
    const { wanted, places } = distinct(asked);
    this.#core = core;
    this.#loading = new Loading(core, core.untilClosed, wanted, asOf);
    this.#waiting = new Map(asked.map((one, index) => [one, places[index]!]));
    this.documents = wanted.length;
  }

  get isOver(): boolean {
    return this.#waiting.size === 0;
  }

  /** Takes the store's next answer, and answers callers whose documents are complete. Never rejects: they get the errors. */
  async step(): Promise<void> {
    try {
      await this.#loading.step();
    } catch (error) {
      // Damage of one caller's document concerns no other.
      const alone = this.#waiting.size > 1 && !concernsAll(error);
      for (const { wanted, resolve, reject } of this.#waiting.keys()) {
        if (alone) {
          await loadDocuments(this.#core, this.#core.untilClosed, wanted).then(({ found }) => resolve(found), reject);
        } else reject(error);
      }
      this.#waiting.clear();
      return;
    }
    const incomplete = this.#loading.incomplete();
    for (const [asked, places] of this.#waiting) {
      if (incomplete.size > 0 && places.some((place) => incomplete.has(place))) continue;
      asked.resolve(places.map((place) => this.#loading.found[place]!));
      this.#waiting.delete(asked);
    }
  }
}

function laneOf([first]: readonly Wanted[]): string {
  return first ? `${first.collection.name}\0${first.id}` : '';
}

/** Each document once, and the places of each caller's documents. */
function distinct(asked: readonly LoadCaller[]): { wanted: readonly Wanted[]; places: readonly (readonly number[])[] } {
  const wanted: Wanted[] = [];
  const known = new DocumentMap<number>();
  const places = asked.map((one) =>
    one.wanted.map((document) => {
      const { collection, id, upTo } = document;
      const place = upTo === undefined ? known.get(collection.name, id) : undefined;
      if (place !== undefined) return place;
      if (upTo === undefined) known.set(collection.name, id, wanted.length);
      return wanted.push(document) - 1;
    }),
  );
  return { wanted, places };
}
