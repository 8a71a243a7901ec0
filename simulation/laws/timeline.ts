/**
 * The log as every release folds it: each document's state at every version. A model, with nothing of the engine in it. What a
 * keying attaches is found anew by its key, so it is the same whether events were attached as they were stored or later.
 */
import { definedIn, type DomainShape } from '../domain/shape.ts';
import { foldState, initialState, type Fields, type State } from '../domain/user-code.ts';
import { idsIn, NOTHING_REGISTERED, ownName, type Keyed, type Registered } from './attach.ts';
import type { Logged } from './records.ts';

/** A document as a release folds it, after its event of this version. */
export interface Point {
  readonly version: number;
  /** Of the event that made it. */
  readonly position: number;
  readonly changed: number;
  readonly state: State;
  /** A reducer threw on the way: from here on it can't be read. */
  readonly poisoned: boolean;
}

interface Attached {
  readonly event: Fields;
  readonly position: number;
  readonly time: number;
}

interface Keying {
  /** How many commits have been taken in. */
  taken: number;
  /** Document id → its events, by version. */
  readonly documents: Map<string, Attached[]>;
}

export class Timeline {
  readonly commits: Logged[] = [];
  /** Positions. */
  length = 0;
  registered: Registered = NOTHING_REGISTERED;
  readonly #shape: DomainShape;
  readonly #keyings = new Map<string, Keying>();
  /** Release, collection, keying and id → its points, by version. */
  readonly #points = new Map<string, Point[]>();
  /** The keying of a release's collection that was registered last: it may have been retired since. */
  readonly #own = new Map<string, Keyed>();

  constructor(shape: DomainShape) {
    this.#shape = shape;
  }

  get recordedAt(): number {
    return this.commits.at(-1)?.commit.recordedAt ?? 0;
  }

  knows(registered: Registered): void {
    if (registered === this.registered) return;
    this.registered = registered;
    for (const [name, { keying }] of registered.own) this.#own.set(name, keying);
  }

  add(logged: Logged): void {
    this.commits.push(logged);
    this.length += logged.events.length;
  }

  /** Types that a release doesn't know, and that aren't the system's, with the position of their first event in a commit that succeeded by a position. */
  unknownTypes(release: number, position = Infinity): Map<string, number> {
    const { knows } = this.#shape.releases[release]!;
    const known = (type: string): boolean => type.startsWith('$') || knows.includes(type);
    const found = new Map<string, number>();
    for (const { commit, events } of this.commits) {
      if (commit.outcome !== 'succeeded') continue;
      for (const event of events) {
        if (event.position > position || known(event.type) || found.has(event.type)) continue;
        found.set(event.type, event.position);
      }
    }
    return found;
  }

  /** Every document of a keying, with the positions of its events. */
  documentsOf(keyed: Keyed): ReadonlyMap<string, readonly Attached[]> {
    let keying = this.#keyings.get(keyed.name);
    if (!keying) this.#keyings.set(keyed.name, (keying = { taken: 0, documents: new Map() }));
    for (; keying.taken < this.commits.length; keying.taken += 1) {
      const { commit, events } = this.commits[keying.taken]!;
      for (const { type, json, position } of events) {
        const event = { type, ...(JSON.parse(json) as object) } as Fields;
        for (const id of idsIn(keyed, event)) {
          const all = keying.documents.get(id) ?? [];
          all.push({ event, position, time: commit.time });
          keying.documents.set(id, all);
        }
      }
    }
    return keying.documents;
  }

  /** The version of a keying's document at the end of the log. */
  headOf(keyed: Keyed, id: string): number {
    return this.documentsOf(keyed).get(id)?.length ?? 0;
  }

  /** The version that an event made of a keying's document; undefined if it isn't attached to it. */
  versionAt(keyed: Keyed, id: string, position: number): number | undefined {
    const at = this.documentsOf(keyed)
      .get(id)
      ?.findIndex((one) => one.position === position);
    return at === undefined || at < 0 ? undefined : at + 1;
  }

  /** The keying of a release's collection; undefined if it never was registered. */
  keyingOf(release: number, collection: string): Keyed | undefined {
    return this.#own.get(ownName(release, collection));
  }

  head(release: number, collection: string, id: string): number {
    const keyed = this.keyingOf(release, collection);
    return keyed ? this.headOf(keyed, id) : 0;
  }

  /** All documents of a release, as `collection id`. */
  documents(release: number): (readonly [collection: string, id: string])[] {
    return Object.keys(this.#shape.releases[release]!.handles).flatMap((collection) =>
      this.ids(release, collection, Infinity).map((id) => [collection, id] as const),
    );
  }

  /** The document as it was after the event at a position. */
  at(release: number, collection: string, id: string, position = Infinity): Point {
    return (
      this.#of(release, collection, id).findLast((point) => point.position <= position) ??
      this.#unborn(release, collection)
    );
  }

  /** The same, as far as it could be folded, and whether that is all. */
  readableAt(release: number, collection: string, id: string, position: number): { whole: boolean; point: Point } {
    const points = this.#of(release, collection, id).filter((point) => point.position <= position);
    const point = points.findLast((one) => !one.poisoned) ?? this.#unborn(release, collection);
    return { whole: !points.some(({ poisoned }) => poisoned), point };
  }

  atVersion(release: number, collection: string, id: string, version: number): Point | undefined {
    return version === 0 ? this.#unborn(release, collection) : this.#of(release, collection, id)[version - 1];
  }

  /** When the last event that changed a document was decided; 0 if none did. */
  timeOfChange(release: number, collection: string, id: string): number {
    const { changed } = this.at(release, collection, id);
    const point = changed > 0 ? this.atVersion(release, collection, id, changed) : undefined;
    return (point && this.commitAt(point.position)?.commit.time) ?? 0;
  }

  /** The ids of a collection's documents that anything was attached to by a position. */
  ids(release: number, collection: string, position: number): string[] {
    const keyed = this.keyingOf(release, collection);
    if (!keyed) return [];
    return [...this.documentsOf(keyed)].filter(([, events]) => events[0]!.position <= position).map(([id]) => id);
  }

  /** The commit that a position belongs to. */
  commitAt(position: number): Logged | undefined {
    return this.commits.findLast(({ commit }) => commit.position <= position);
  }

  #unborn(release: number, collection: string): Point {
    const state = initialState(definedIn(this.#shape, release, collection));
    return { version: 0, position: 0, changed: 0, poisoned: false, state };
  }

  #of(release: number, collection: string, id: string): readonly Point[] {
    const keyed = this.keyingOf(release, collection);
    const events = keyed && this.documentsOf(keyed).get(id);
    if (!keyed || !events) return [];
    const name = `${release} ${collection} ${keyed.name} ${id}`;
    const points = this.#points.get(name) ?? [];
    this.#points.set(name, points);
    while (points.length < events.length) {
      const before = points.at(-1) ?? this.#unborn(release, collection);
      points.push(this.#next(release, collection, id, before, events[points.length]!));
    }
    return points;
  }

  #next(release: number, collection: string, id: string, before: Point, { event, position, time }: Attached): Point {
    const { handles } = this.#shape.releases[release]!;
    const next = { ...before, version: before.version + 1, position };
    if (!handles[collection]!.includes(event.type)) return next;
    next.changed = next.version;
    if (before.poisoned) return next;
    try {
      const { salt } = definedIn(this.#shape, release, collection);
      return { ...next, state: foldState(before.state, event, { id, time, salt }) };
    } catch {
      return { ...next, poisoned: true };
    }
  }
}
