/**
 * The documents of a fold under way: numbers in one array, not an object each. A fold of more documents than the processor's
 * cache holds spends most of its time waiting for memory, once for each object.
 */
import { hasCode, type ReducerFailed, type UpcastFailed } from '../../errors.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import { unborn } from '../../model/reduce.ts';
import type { DocumentRef } from '../../store/store.ts';
import type { Pace } from '../pace.ts';
import { documentOf, failedDocument, type Document, type FoldedDocuments } from './document.ts';
import { grown, OTHERS, ROOM, Slots } from './slots.ts';

/** Looking at the clock costs as much as making a document. */
const MADE_A_LOOK = 100;

/** The numbers of a slot. */
const DEFINITION = 0;
const VERSION = 1;
const CHANGED = 2;
const WIDTH = 3;

export class Folding {
  readonly #definitions: readonly CollectionDefinition[];
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #slots = new Slots();
  #numbers = new Float64Array(ROOM * WIDTH);
  /** By slot; the first isn't used. */
  readonly ids: string[] = [''];
  readonly states: unknown[] = [undefined];
  /** By slot, the error that stops a document's folding. */
  readonly #failures = new Map<number, ReducerFailed | UpcastFailed>();

  constructor(definitions: readonly CollectionDefinition[]) {
    this.#definitions = definitions;
    this.#indexes = new Map(definitions.map(({ name }, index) => [name, index]));
  }

  slotOf(document: number): number {
    return this.#slots.of(document);
  }

  /** Adds a document that the store has named. */
  add({ collection, id, document }: DocumentRef & { readonly document: number }): void {
    const index = this.#indexes.get(collection);
    const slot = index === undefined ? OTHERS : this.ids.length;
    this.#slots.put(document, slot, this.ids.length);
    if (index === undefined) return;
    this.ids.push(id);
    this.states.push(this.#initial(slot, this.#definitions[index]!, id));
    if (this.ids.length * WIDTH > this.#numbers.length)
      this.#numbers = grown(this.#numbers, new Float64Array(this.#numbers.length * 2));
    this.#numbers[slot * WIDTH + DEFINITION] = index;
  }

  definition(slot: number): CollectionDefinition {
    return this.#definitions[this.#numbers[slot * WIDTH + DEFINITION]!]!;
  }

  version(slot: number): number {
    return this.#numbers[slot * WIDTH + VERSION]!;
  }

  /** An event that its collection doesn't handle made this version. */
  count(slot: number, version: number): void {
    this.#numbers[slot * WIDTH + VERSION] = version;
  }

  /** An event made this version, and its reducer this state. */
  change(slot: number, version: number, state: unknown): void {
    this.#numbers[slot * WIDTH + VERSION] = version;
    this.#numbers[slot * WIDTH + CHANGED] = version;
    this.states[slot] = state;
  }

  /** From here on the document's state is unknown. */
  fail(slot: number, error: ReducerFailed | UpcastFailed): void {
    this.#failures.set(slot, error);
  }

  hasFailed(slot: number): boolean {
    // Nearly always none has.
    return this.#failures.size > 0 && this.#failures.has(slot);
  }

  /** The documents of each definition, in the order of their first events. The event loop gets turns. */
  async documents(pace: Pace): Promise<readonly FoldedDocuments<unknown>[]> {
    const made = this.#definitions.map(() => {
      const failed = new Map<string, ReducerFailed | UpcastFailed>();
      return Object.assign(new Map<string, Document<unknown>>(), { failed });
    });
    for (let slot = 1; slot < this.ids.length; slot += 1) {
      if (slot % MADE_A_LOOK === 0 && pace.isOver()) await pace.turn();
      const [index, version, changed] = this.#numbers.subarray(slot * WIDTH, (slot + 1) * WIDTH);
      // It was named by an event after the end of this fold.
      if (version === 0) continue;
      const [id, state] = [this.ids[slot]!, this.states[slot]];
      const folded = { version: version!, changed: changed!, state };
      const [definition, documents] = [this.#definitions[index!]!, made[index!]!];
      const failure = this.#failures.get(slot);
      documents.set(id, failure ? failedDocument(definition, id, folded, failure) : documentOf(definition, id, folded));
      if (failure) documents.failed.set(id, failure);
    }
    // A collection may be given twice.
    return this.#definitions.map(({ name }) => made[this.#indexes.get(name)!]!);
  }

  #initial(slot: number, definition: CollectionDefinition, id: string): unknown {
    try {
      return unborn(definition, id).state;
    } catch (error) {
      if (!hasCode(error, 'ReducerFailed')) throw error;
      this.fail(slot, error);
      return undefined;
    }
  }
}
