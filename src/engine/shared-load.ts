/**
 * Documents that several callers ask for at once are loaded together: a load costs the store a statement, whoever it is
 * for. Nobody is given what was read before he asked, and each gets his documents as of one point of the log.
 */
import { Overloaded } from '../errors.ts';
import { DocumentMap } from '../store/document-map.ts';
import type { Core } from './core.ts';
import { loadDocuments, type Found, type Wanted } from './document-reader.ts';
import { concernsAll } from './draft.ts';

/** Documents of one load; a caller who asks for more has one of his own. */
const LOAD_DOCUMENTS = 1_000;
/** Loads under way at once: one is answered while the next is read. */
const LOADS_AT_ONCE = 2;

interface Asked {
  readonly wanted: readonly Wanted[];
  readonly resolve: (found: readonly Found[]) => void;
  readonly reject: (error: unknown) => void;
}

export class SharedLoad {
  readonly #core: Core;
  #asked: Asked[] = [];
  /** How many of them were taken already. */
  #taken = 0;
  #documents = 0;
  #running = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Documents that are still to be asked for. */
  get waiting(): number {
    return this.#documents;
  }

  /** The documents as they are now. @throws Overloaded if too many wait already; and what `loadDocuments` throws */
  load(wanted: readonly Wanted[]): Promise<readonly Found[]> {
    const { getDocumentsWaitingMax: max } = this.#core.limits;
    if (this.#documents > 0 && this.#documents + wanted.length > max) {
      return Promise.reject(
        new Overloaded(
          `${this.#documents} documents wait to be read already: get them again later, fewer at once, or raise limits.getDocumentsWaitingMax.`,
          { waiting: this.#documents, max },
        ),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<readonly Found[]>();
    this.#asked.push({ wanted, resolve, reject });
    this.#documents += wanted.length;
    if (this.#running < LOADS_AT_ONCE) {
      this.#running += 1;
      void this.#run();
    }
    return promise;
  }

  async #run(): Promise<void> {
    // Whoever asks in the same turn shares it.
    await undefined;
    for (let next = this.#take(); next.length > 0; next = this.#take()) await this.#answer(next);
    this.#running -= 1;
  }

  /** Those who come first, as many as a load holds. */
  #take(): readonly Asked[] {
    const taken: Asked[] = [];
    let documents = 0;
    for (; this.#taken < this.#asked.length; this.#taken += 1) {
      const next = this.#asked[this.#taken]!;
      if (taken.length > 0 && documents + next.wanted.length > LOAD_DOCUMENTS) break;
      documents += next.wanted.length;
      taken.push(next);
    }
    this.#documents -= documents;
    if (this.#taken === this.#asked.length) {
      this.#asked = [];
      this.#taken = 0;
    }
    return taken;
  }

  /** Never rejects: what goes wrong is told to those who asked. */
  async #answer(asked: readonly Asked[]): Promise<void> {
    if (asked.length === 1) return this.#answerOne(asked[0]!);
    const { wanted, places } = once(asked);
    try {
      const { found } = await loadDocuments(this.#core, this.#core.untilClosed, wanted);
      for (const [index, { resolve }] of asked.entries()) resolve(places[index]!.map((place) => found[place]!));
    } catch (error) {
      // Damage of one caller's document is no other's to hear.
      if (concernsAll(error)) for (const { reject } of asked) reject(error);
      else for (const one of asked) await this.#answerOne(one);
    }
  }

  async #answerOne({ wanted, resolve, reject }: Asked): Promise<void> {
    try {
      resolve((await loadDocuments(this.#core, this.#core.untilClosed, wanted)).found);
    } catch (error) {
      reject(error);
    }
  }
}

/** Each document once, however many ask for it, and where each of those finds his. */
function once(asked: readonly Asked[]): { wanted: readonly Wanted[]; places: readonly (readonly number[])[] } {
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
