/** Documents as a step stores them, with the index entries that go and come. */
import {
  STEP_DOCUMENTS_MAX,
  type Index,
  type IndexEntry,
  type IndexKey,
  type StoredDocument,
} from '../../store/store.ts';
import type { Folded } from '../../model/reduce.ts';
import type { Pace } from '../pace.ts';
import { movedEntries } from '../queries/sort-key.ts';
import { failureText, NOTHING, storedFrom, tooLarge, type Known } from '../reading/stored-document.ts';

/** A document before a step and after it. */
export interface Change {
  readonly id: string;
  /** As it is stored; undefined if it isn't, or needn't be known: no index has it, and its state isn't large. */
  readonly was: Known | undefined;
  readonly now: Known;
  /** Its last version in between whose state isn't too large to be stored, if that is known. */
  readonly fits?: Folded | undefined;
}

export interface Drafted {
  readonly id: string;
  /** As it is stored then: one whose state is too large stays at its last version that isn't. */
  readonly now: Known;
  /** The same, folded further, if its state is too large. */
  readonly large: Folded | undefined;
  readonly document: StoredDocument;
  readonly dropped: readonly IndexKey[];
  readonly added: readonly IndexEntry[];
}

/** Characters of states after which a step ends: a store writes it in one piece. */
export const STEP_CHARS_MAX = 4 * 2 ** 20;

const NO_ENTRIES = { dropped: [], added: [] };

export function drafted(collection: string, indexes: readonly Index[], change: Change): Drafted {
  const { id, was } = change;
  let { now } = change;
  let document = storedFrom(id, now);
  let large: Folded | undefined;
  if (!document) {
    if (now.failed === undefined) large = now.folded;
    const failed = now.failed ?? failureText(tooLarge(collection, id));
    now = { folded: change.fits ?? was?.folded ?? NOTHING, failed };
    document = storedFrom(id, now);
    // It was larger than it was taken to be.
    if (!document) document = storedFrom(id, (now = { folded: was?.folded ?? NOTHING, failed }))!;
  }
  const moved = indexes.length === 0 ? NO_ENTRIES : movedEntries(indexes, id, shown(was), shown(now));
  return { id, now, large, document, ...moved };
}

/** As many as one step stores, and at least one. The event loop gets its turns meanwhile. */
export async function draftedInTurns(
  collection: string,
  indexes: readonly Index[],
  changes: readonly Change[],
  pace: Pace,
): Promise<readonly Drafted[]> {
  const documents: Drafted[] = [];
  let chars = 0;
  for (const change of changes) {
    const one = drafted(collection, indexes, change);
    documents.push(one);
    chars += one.document.state.length;
    if (chars >= STEP_CHARS_MAX || documents.length === STEP_DOCUMENTS_MAX) break;
    if (pace.isOver()) await pace.turn();
  }
  return documents;
}

/** All that one step stores. */
export function gathered(documents: readonly Drafted[]) {
  return {
    documents: documents.map(({ document }) => document),
    dropped: documents.flatMap(({ dropped }) => dropped),
    added: documents.flatMap(({ added }) => added),
  };
}

/** The state that a document is found by: none if it doesn't exist, or has failed. */
function shown(known: Known | undefined): unknown {
  return known && known.failed === undefined && known.folded.changed > 0 ? known.folded.state : undefined;
}
