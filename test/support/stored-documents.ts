/** Stored documents without a log: a set of a collection that a test fills by itself, and queries over it. */
import type { Store } from 'tidemark';
import { domain, type } from 'tidemark';
import type { LogPoint, Session, SetStep, StoredDocument } from '../../src/store/store.ts';
import type { Queried } from '../../src/engine/queries/queried.ts';
import { Queries } from '../../src/engine/queries/queries.ts';
import { entriesOf, movedEntries, type IndexFields } from '../../src/engine/queries/sort-key.ts';
import { machineRuntime } from '../../src/engine/runtime.ts';
import { collectionDefinition, type CollectionDefinition } from '../../src/model/collection.ts';
import { commit, event } from '../../src/testing/conformance/batches.ts';
import { register } from '../../src/testing/conformance/registered.ts';

export interface Given {
  readonly id: string;
  readonly state: unknown;
  readonly version?: number;
  readonly changed?: number;
  readonly failed?: string;
}

/** A collection whose initial state says nothing of the fields, unless one is given. */
export function collectionOf(initial: unknown = {}): CollectionDefinition {
  const things = domain({ events: { MADE: type<{ thing_id: string }>() } });
  const collection = things.collection('things', {
    key: 'thing_id',
    initial: initial as object,
    reduce: { MADE: (state) => state },
  });
  return collectionDefinition(collection);
}

const RUNTIME = machineRuntime();

export class StoredDocuments implements AsyncDisposable {
  readonly session: Session;
  readonly queries: Queries;
  readonly collection: CollectionDefinition;
  readonly closing = new AbortController();
  readonly set: number;
  readonly indexes: readonly IndexFields[];
  /** Calls of the store. */
  reads = 0;
  /** Rows that they returned. */
  rows = 0;
  /** Called before each of them. */
  beforeRead: () => Promise<void> | void = () => undefined;
  /** How many calls of `moved` wait. */
  waiting = 0;
  told = 0;
  /** How long it was slept for, in milliseconds. */
  readonly slept: number[] = [];
  /** How often it was asked what has moved, and whether it isn't known. */
  asked = 0;
  isForgetful = false;
  /** By position: the documents that moved on there. */
  readonly #steps = new Map<number, readonly string[]>();
  readonly #generation: number;
  readonly #states = new Map<string, unknown>();
  #place: LogPoint = { position: 0, hash: '0'.repeat(64) };
  #wakes = new Set<() => void>();

  private constructor(
    session: Session,
    collection: CollectionDefinition,
    filled: { set: number; generation: number; indexes: readonly IndexFields[] },
  ) {
    this.session = session;
    this.collection = collection;
    this.set = filled.set;
    this.indexes = filled.indexes;
    this.#generation = filled.generation;
    this.queries = new Queries(this.queried());
  }

  static async on(
    store: Store,
    indexes: readonly (readonly string[])[] = [],
    initial?: unknown,
  ): Promise<StoredDocuments> {
    const session = await store.open();
    const entry = { name: 'things', definition: 1, key: { fields: ['thing_id'] }, handled: ['MADE'] };
    const { definitions } = await register(session, [entry]);
    const { set } = definitions[0]!;
    const { generation, indexes: made } = await session.change(({ last }) => ({
      raises: true,
      last: last + indexes.length,
      indexes: indexes.map((fields, at) => ({ number: last + 1 + at, set, fields, state: 'live', usedAt: 0 })),
    }));
    return new StoredDocuments(session, collectionOf(initial), { set, generation, indexes: made });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session.close();
  }

  get place(): LogPoint {
    return this.#place;
  }

  /** Stores documents in one step, as reduction does. */
  async put(given: readonly Given[]): Promise<void> {
    for (let at = 0; at < given.length; at += 1_000) await this.#step(given.slice(at, at + 1_000));
    if (given.length === 0) await this.#step([]);
  }

  async #step(given: readonly Given[]): Promise<void> {
    const moved = given.map(({ id, state, failed }) =>
      movedEntries(this.indexes, id, this.#states.get(id), failed === undefined ? state : undefined),
    );
    const batch = { seen: this.#place, generation: this.#generation, handled: new Map(), reads: [] };
    const note = commit(`step-${this.#place.position}`, event('NOTED'));
    const appended = await this.session.append({ ...batch, commits: [note] });
    if (appended.status !== 'stored') throw new Error(`the event of a step was ${appended.status}`);
    const to = { position: appended.end.position, hash: appended.end.hash };
    const { position } = to;
    const documents = given.map(({ id, state, version = position, changed = version, failed }): StoredDocument => {
      const text = JSON.stringify(state);
      return failed === undefined
        ? { id, version, changed, state: text }
        : { id, version, changed, state: text, failed };
    });
    const step: SetStep = {
      set: this.set,
      generation: this.#generation,
      from: this.#place,
      to,
      seen: to,
      documents,
      dropped: moved.flatMap(({ dropped }) => dropped),
      added: moved.flatMap(({ added }) => added),
    };
    const stepped = await this.session.advance(step);
    if (stepped !== 'stored') throw new Error(`the step was ${stepped}`);
    this.#place = to;
    this.#steps.set(
      position,
      given.map(({ id }) => id),
    );
    for (const { id, state, failed } of given) this.#states.set(id, failed === undefined ? state : undefined);
    for (const wake of this.#wakes) wake();
  }

  /** The entries that a document has now. */
  entries(id: string): ReturnType<typeof entriesOf> {
    return entriesOf(this.indexes, id, this.#states.get(id));
  }

  queried(): Queried {
    return {
      setOf: async () => ({ set: this.set, indexes: this.indexes }),
      indexesOf: () => this.indexes.map(({ fields }) => fields),
      stored: async (range) => {
        await this.beforeRead();
        const page = await this.session.stored(range);
        this.reads += 1;
        this.rows += page?.documents.length ?? 0;
        return page;
      },
      reached: async (_, position, signal) => {
        while (this.#place.position < position) await this.#change(signal);
      },
      told: () => this.told,
      moved: async (_, { place: { position } }, signal) => {
        while (this.#place.position === position) await this.#change(signal);
      },
      touched: async (_, after, upTo) => {
        this.asked += 1;
        if (this.isForgetful) return undefined;
        const steps = [...this.#steps].filter(([position]) => position > after && position <= upTo);
        return new Set(steps.flatMap(([, ids]) => ids));
      },
      runtime: {
        ...RUNTIME,
        sleep: (ms, signal) => {
          this.slept.push(ms);
          return RUNTIME.sleep(ms, signal);
        },
      },
      outage: { answered: () => undefined, sitOut: (_, error) => Promise.reject(error) },
      closing: this.closing.signal,
    };
  }

  async #change(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const aborted = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', aborted);
    this.#wakes.add(resolve);
    this.waiting += 1;
    try {
      await promise;
    } finally {
      this.waiting -= 1;
      this.#wakes.delete(resolve);
      signal?.removeEventListener('abort', aborted);
    }
  }
}
