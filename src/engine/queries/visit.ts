/** Looking at documents, one after the other: in turns with others, and with what is known of the place that they are as of. */
import { Buffer } from 'node:buffer';
import { LogCorrupt } from '../../errors.ts';
import { STEP_DOCUMENTS_MAX } from '../../store/store.ts';
import type { KeyRange, LogPoint, StoredDocument, StoredPage } from '../../store/store.ts';
import { SCAN_ROWS, SLICE_MS } from './bounds.ts';
import type { Candidate } from './matcher.ts';
import type { Queried } from './queried.ts';
import { after, type Range } from './ranges.ts';
import { indexKey, type IndexFields } from './sort-key.ts';

/** A document that is looked at: as stored, and its state as it was read from the text. */
export interface Seen extends Candidate {
  readonly stored: StoredDocument;
}

export interface Route {
  readonly set: number;
  readonly index: IndexFields | undefined;
  readonly ranges: readonly Range[];
  readonly reverse: boolean;
  /** How many documents are expected to be enough. */
  readonly rows: number;
}

/** What the documents were as of. */
export interface Visited {
  /** The first place. */
  readonly place: LogPoint;
  /** The last one. */
  readonly last: LogPoint;
}

/** Whether some documents were as of a later place than others. */
export function hasMoved({ place, last }: Visited): boolean {
  return place.position !== last.position;
}

/** So many documents are looked at between two looks at the clock; one with a long state counts as more. */
const LOOKS = 8;
/** One more for so many characters of its state. */
const LOOK_CHARS = 2_048;

/** Gives others their turn, and ends when the caller doesn't wait any more. */
export class Pace {
  readonly #runtime: Queried['runtime'];
  readonly #signals: readonly (AbortSignal | undefined)[];
  #since: number;
  #looks = 0;

  constructor({ runtime, closing }: Pick<Queried, 'runtime' | 'closing'>, signal: AbortSignal | undefined) {
    this.#runtime = runtime;
    this.#signals = [closing, signal];
    this.#since = runtime.elapsed();
  }

  /** Whether it is time for others, after a look at a document with a state of so many characters. */
  isOver(chars: number): boolean {
    this.#looks += 1 + chars / LOOK_CHARS;
    if (this.#looks < LOOKS) return false;
    this.#looks = 0;
    return this.#runtime.elapsed() - this.#since >= SLICE_MS;
  }

  async rest(): Promise<void> {
    await this.#runtime.turn();
    for (const signal of this.#signals) signal?.throwIfAborted();
    this.#since = this.#runtime.elapsed();
  }
}

/**
 * Looks at the documents of a route that exist, until `look` says true.
 *
 * @returns undefined if the store doesn't know the set or the index any more
 */
export async function visit(
  stored: Queried['stored'],
  route: Route,
  pace: Pace,
  look: (document: Seen) => boolean,
): Promise<Visited | undefined> {
  let place: LogPoint | undefined;
  let last: LogPoint | undefined;
  let limit = route.rows;
  for (const range of route.reverse ? [...route.ranges].reverse() : route.ranges) {
    for (let left: Range | undefined = range; left !== undefined;) {
      const asked: KeyRange = { set: route.set, index: route.index?.number, reverse: route.reverse, ...left, limit };
      const page: StoredPage | undefined = await stored(asked);
      if (!page) return undefined;
      place ??= page.place;
      last = page.place;
      for (const document of page.documents) {
        if (document.changed > 0 && document.failed === undefined && look(seen(document))) return { place, last };
        if (pace.isOver(document.state.length)) await pace.rest();
      }
      left = page.more ? rest(left, page, route) : undefined;
      // What was expected to be enough wasn't.
      limit = Math.max(limit, SCAN_ROWS);
    }
  }
  if (place === undefined) {
    const empty = await stored({ set: route.set, limit: 0 });
    if (!empty) return undefined;
    place = empty.place;
  }
  return { place, last: last ?? place };
}

/** Looks at those of some documents that exist. False if the store doesn't know the set any more. */
export async function visitIds(
  stored: Queried['stored'],
  set: number,
  ids: ReadonlySet<string>,
  pace: Pace,
  look: (document: Seen) => void,
): Promise<boolean> {
  let left = [...ids];
  while (left.length > 0) {
    const asked = left.slice(0, STEP_DOCUMENTS_MAX);
    const page = await stored({ set, ids: asked });
    if (!page) return false;
    for (const document of page.documents) {
      if (document.changed > 0 && document.failed === undefined) look(seen(document));
      if (pace.isOver(document.state.length)) await pace.rest();
    }
    const returned = new Set(page.documents.map(({ id }) => id));
    const open = page.more ? asked.filter((id) => !returned.has(id)) : [];
    left = [...open, ...left.slice(asked.length)];
  }
  return true;
}

/** What is left of a range after a page of it. */
function rest({ from, below }: Range, { documents }: StoredPage, { index, reverse, set }: Route): Range | undefined {
  const last = documents.at(-1);
  if (!last) return undefined;
  const key = index === undefined ? Buffer.from(last.id) : indexKey(index.fields, last.id, stateOf(last));
  const isWithin = Buffer.compare(from, key) <= 0 && Buffer.compare(key, below) < 0;
  // The same page would come again and again.
  if (!isWithin) throw damagedEntry(last.id, set, index?.number);
  return reverse ? { from, below: key } : { from: after(key), below };
}

function damagedEntry(id: string, set: number, index: number | undefined): LogCorrupt {
  return new LogCorrupt(
    `An index has the stored document ${JSON.stringify(id)} in another place than its state says. The log itself may be whole: ` +
      'run verify, then rebuild the collection.',
    { id, set, index },
  );
}

export function seen(stored: StoredDocument): Seen {
  const { id, version, changed } = stored;
  return { id, version, changed, state: stateOf(stored), stored };
}

function stateOf({ id, state }: StoredDocument): unknown {
  try {
    return JSON.parse(state);
  } catch (cause) {
    throw new LogCorrupt(
      `The stored document ${JSON.stringify(id)} can’t be read: its state is not JSON.`,
      { id },
      cause,
    );
  }
}
