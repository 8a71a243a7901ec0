/**
 * What the answers to earlier batches said of documents: the number of each, which never changes, and its head, which is
 * right until another session writes, or attaches events that are stored already. A batch gives what is known of its documents, so the database needn't look them up: in
 * a large log each look costs a page that is in no cache of the processor.
 *
 * All of this follows from the history. Each batch says at which end of the log its knowledge was complete, and a log that
 * doesn't hold that commit uses nothing of it.
 */
import { GENESIS_HASH } from '../../chain.ts';
import { RecentDocuments } from '../../../recent.ts';
import type { DocumentRef, LogPoint } from '../../store.ts';

/** 10 to 20 MB. */
const DOCUMENTS_MAX = 2 ** 16;
const NOTHING: LogPoint = { position: 0, hash: GENESIS_HASH };

/** What is known of a document. */
export interface NumberedDocument {
  /** Its number in the table `documents`. */
  readonly number: number;
  /** Its head at {@link KnownDocuments.end}, if that is known. */
  readonly head: number | undefined;
}

/** A document after a batch that was stored. */
export interface Learned extends DocumentRef {
  readonly number: number;
  readonly head: number;
}

/** `run`: when it was learned. A run is batches of this session and of one generation with no other writer between them. */
type Remembered = Pick<Learned, 'number' | 'head'> & { readonly run: number };

export class KnownDocuments {
  #documents = new RecentDocuments<Remembered>(DOCUMENTS_MAX);
  #end = NOTHING;
  #run = 0;
  #generation = 0;

  /** The end of the log after the last batch that something was learned from. */
  get end(): LogPoint {
    return this.#end;
  }

  /**
   * Before a batch of this generation of the registry. In another, events may have been attached that the heads don't count: while
   * that is being done the database looks heads up itself, and when it is done it raises the generation.
   */
  enter(generation: number): void {
    if (generation !== this.#generation) this.#run += 1;
    this.#generation = generation;
  }

  find({ collection, id }: DocumentRef): NumberedDocument | undefined {
    const known = this.#documents.get(collection, id);
    return known && { number: known.number, head: known.run === this.#run ? known.head : undefined };
  }

  /** Learns from a batch that is stored and committed: its documents, with their heads after it. */
  learn(before: LogPoint, end: LogPoint, documents: readonly Learned[]): void {
    if (before.position !== this.#end.position || before.hash !== this.#end.hash) this.#run += 1;
    this.#end = end;
    for (const { collection, id, number, head } of documents) {
      this.#documents.set(collection, id, { number, head, run: this.#run });
    }
  }

  /** For when the log isn't the one that all this was learned from. */
  forget(): void {
    this.#documents = new RecentDocuments(DOCUMENTS_MAX);
    this.#end = NOTHING;
  }
}
