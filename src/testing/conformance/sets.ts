/** A set of stored documents under test, and what is read of it. */
import { Buffer } from 'node:buffer';
import assert from 'node:assert/strict';
import { PAGE_ROWS_MAX } from '../../store/store.ts';
import type {
  IndexEntry,
  IndexKey,
  KeyRange,
  LogPoint,
  SetStep,
  StoredDocument,
  StoredPage,
  Stepped,
  Session,
} from '../../store/store.ts';
import { commit, event, GENESIS } from './batches.ts';
import type { TestLog } from './log.ts';
import { definitionOf } from './registered.ts';
import { hex } from './set-model.ts';

/** The other parts of a step. Each has a default. */
export interface Stepping extends Partial<Omit<SetStep, 'set' | 'documents'>> {
  /** Who sends it. Default: the first session. */
  readonly by?: Pick<Session, 'advance'>;
}

export class TestSet {
  readonly number: number;
  /** Where it is after the last step that was stored through this object. */
  place: LogPoint = GENESIS;
  /** By which steps are made. */
  generation: number;
  readonly #log: TestLog;

  constructor(log: TestLog, number: number, generation: number = log.generation) {
    this.#log = log;
    this.number = number;
    this.generation = generation;
  }

  /** The set of a collection that all cases have. */
  static of(log: TestLog, collection = 'users'): TestSet {
    return new TestSet(log, definitionOf(log.registry, collection).set);
  }

  step(documents: readonly StoredDocument[], stepping: Omit<Stepping, 'by'> = {}): SetStep {
    const { from = this.place, to = this.#log.end, seen = this.#log.end, ...rest } = stepping;
    const { generation = this.generation, dropped = [], added = [] } = rest;
    const places = { from: pointOf(from), to: pointOf(to), seen: pointOf(seen) };
    return { set: this.number, generation, ...places, documents, dropped, added };
  }

  /** Sends a step, whatever the answer. */
  async send(
    documents: readonly StoredDocument[],
    { by = this.#log.session, ...rest }: Stepping = {},
  ): Promise<Stepped> {
    const step = this.step(documents, rest);
    const answer = await by.advance(step);
    if (answer === 'stored') this.place = step.to;
    return answer;
  }

  /** Sends a step that must be stored. */
  async advance(documents: readonly StoredDocument[], stepping?: Stepping): Promise<void> {
    const answer = await this.send(documents, stepping);
    assert.equal(answer, 'stored', `expected the step to be stored, got ${answer}`);
  }

  /** Appends an event that is attached to nothing, so that there is somewhere to go, and a step to there. */
  async moveOn(documents: readonly StoredDocument[], stepping?: Stepping): Promise<void> {
    const { generation } = await this.#log.session.registry();
    await this.#log.append(commit(`move-${this.#log.end.position}`, event('NOTED')), { generation });
    await this.advance(documents, { to: this.#log.end, ...stepping });
  }

  /** A page in the order of keys. */
  async page(range: Omit<KeyRange, 'set'>, session: Pick<Session, 'stored'> = this.#log.session): Promise<StoredPage> {
    const page = await session.stored({ set: this.number, ...range });
    assert(page, `nothing is told of set ${this.number}`);
    return page;
  }

  async byIds(ids: readonly string[], session: Pick<Session, 'stored'> = this.#log.session): Promise<StoredPage> {
    const page = await session.stored({ set: this.number, ids });
    assert(page, `nothing is told of set ${this.number}`);
    return page;
  }

  /** All in the order of keys, page by page, which must be as of one place. */
  async all({ keyOf, ...range }: Asked = {}, session?: Pick<Session, 'stored'>): Promise<StoredDocument[]> {
    const found: StoredDocument[] = [];
    const { limit = range.index === undefined ? 500 : PAGE_ROWS_MAX } = range;
    let { from, below } = range;
    for (;;) {
      const page = await this.page({ ...range, from, below, limit }, session);
      assert.deepEqual(pointOf(page.place), this.place, 'the set is elsewhere');
      assert(page.documents.length <= limit, 'a page holds more than its limit');
      found.push(...page.documents);
      if (!page.more) return found;
      const last = page.documents.at(-1);
      assert(last, 'a page is empty, and there is more');
      assert(range.index === undefined || keyOf, 'there is more than one page of an index');
      const lastKey = keyOf ? keyOf(last) : key(last.id);
      if (range.reverse) below = lastKey;
      else from = above(lastKey);
    }
  }

  /** The index must have these entries and no others. */
  async hasEntries(index: number, entries: readonly Entry[]): Promise<void> {
    const inOrder = entries.toSorted((one, other) => Buffer.compare(one[1], other[1]));
    const { documents, more } = await this.page({ index, limit: PAGE_ROWS_MAX });
    assert.deepEqual([documents.map(({ id }) => id), more], [inOrder.map(([id]) => id), false]);
    for (const [id, at] of inOrder) {
      const page = await this.page({ index, from: at, below: above(at), limit: 2 });
      assert.deepEqual(
        page.documents.map((one) => one.id),
        [id],
        `the entry ${hex(at)}`,
      );
    }
  }
}

/** A range, and where it goes on after a document: without an index, after its id. */
type Asked = Partial<Omit<KeyRange, 'set'>> & { readonly keyOf?: (document: StoredDocument) => Uint8Array };

/** The id of a document, and its key in an index. */
export type Entry = readonly [id: string, key: Uint8Array];

export function pointOf({ position, hash }: LogPoint): LogPoint {
  return { position, hash };
}

export function document(id: string, version = 1, facts: Partial<StoredDocument> = {}): StoredDocument {
  return { id, version, changed: version, state: `{"of":${JSON.stringify(id)},"at":${version}}`, ...facts };
}

/** The first key above this one. */
export function above(key: Uint8Array): Uint8Array {
  return Buffer.concat([key, Buffer.of(0)]);
}

/** A key of this text's bytes, or of these bytes. */
export function key(of: string | readonly number[]): Uint8Array {
  return typeof of === 'string' ? Buffer.from(of) : Buffer.from(of);
}

export function entry(index: number, of: string | readonly number[], id: string): IndexEntry {
  return { index, key: key(of), id };
}

export function gone(index: number, of: string | readonly number[]): IndexKey {
  return { index, key: key(of) };
}
