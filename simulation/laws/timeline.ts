/** The log as every release folds it: each document's state at every version. A model, with nothing of the engine in it. */
import type { DomainShape } from '../domain/shape.ts';
import { foldState, initialState, type Fields, type State } from '../domain/user-code.ts';
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

export class Timeline {
  readonly commits: Logged[] = [];
  /** Positions. */
  length = 0;
  readonly #shape: DomainShape;
  /** Release, collection and id → its points, by version. */
  readonly #points = new Map<string, Point[]>();
  readonly #heads = new Map<string, number>();
  /** By release. */
  readonly #unborn: readonly Point[];

  constructor(shape: DomainShape) {
    this.#shape = shape;
    const nothing = { version: 0, position: 0, changed: 0, poisoned: false };
    this.#unborn = shape.releases.map((release) => ({ ...nothing, state: initialState(release) }));
  }

  get recordedAt(): number {
    return this.commits.at(-1)?.commit.recordedAt ?? 0;
  }

  /** Every document with its head. */
  get heads(): ReadonlyMap<string, number> {
    return this.#heads;
  }

  add(logged: Logged): void {
    this.commits.push(logged);
    this.length += logged.events.length;
    for (const { type, json, position, attachments } of logged.events) {
      const event = { type, ...(JSON.parse(json) as object) } as Fields;
      for (const { collection, id } of attachments) {
        this.#heads.set(`${collection} ${id}`, this.head(collection, id) + 1);
        for (const [release, { handles }] of this.#shape.releases.entries()) {
          const handled = handles[collection];
          if (handled) this.#fold(release, collection, id, handled, event, position, logged.commit.time);
        }
      }
    }
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

  head(collection: string, id: string): number {
    return this.#heads.get(`${collection} ${id}`) ?? 0;
  }

  /** The document as it was after the event at a position. */
  at(release: number, collection: string, id: string, position = Infinity): Point {
    return this.#of(release, collection, id).findLast((point) => point.position <= position) ?? this.#unborn[release]!;
  }

  atVersion(release: number, collection: string, id: string, version: number): Point | undefined {
    return version === 0 ? this.#unborn[release] : this.#of(release, collection, id)[version - 1];
  }

  /** When the last event that changed a document was decided; 0 if none did. */
  timeOfChange(release: number, collection: string, id: string): number {
    const { changed } = this.at(release, collection, id);
    const point = changed > 0 ? this.atVersion(release, collection, id, changed) : undefined;
    return (point && this.commitAt(point.position)?.commit.time) ?? 0;
  }

  /** The ids of a collection's documents that anything was attached to by a position. */
  ids(release: number, collection: string, position: number): string[] {
    const prefix = `${collection} `;
    return [...this.#heads.keys()]
      .filter((document) => document.startsWith(prefix))
      .map((document) => document.slice(prefix.length))
      .filter((id) => this.at(release, collection, id, position).version > 0);
  }

  /** The commit that a position belongs to. */
  commitAt(position: number): Logged | undefined {
    return this.commits.findLast(({ commit }) => commit.position <= position);
  }

  #of(release: number, collection: string, id: string): Point[] {
    return this.#points.get(`${release} ${collection} ${id}`) ?? [];
  }

  #fold(
    release: number,
    collection: string,
    id: string,
    handled: readonly string[],
    event: Fields,
    position: number,
    time: number,
  ): void {
    const points = this.#of(release, collection, id);
    this.#points.set(`${release} ${collection} ${id}`, points);
    const before = points.at(-1) ?? this.#unborn[release]!;
    const next = { ...before, version: before.version + 1, position };
    if (!handled.includes(event.type)) return void points.push(next);
    next.changed = next.version;
    if (before.poisoned) return void points.push(next);
    try {
      points.push({ ...next, state: foldState(before.state, event, id, time) });
    } catch {
      points.push({ ...next, poisoned: true });
    }
  }
}
