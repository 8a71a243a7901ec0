/**
 * A slice folded into the documents of one set: as much of it as a step may weigh. States are read, folded and written as text one
 * after the other, with turns of the event loop; once they weigh enough, the step ends before the next document's first event.
 */
import { hasCode } from '../../errors.ts';
import { unborn, type Folded } from '../../model/reduce.ts';
import {
  STEP_DOCUMENTS_MAX,
  type Index,
  type LogPoint,
  type ScannedEvent,
  type Stepped,
  type StoredDocument,
} from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Pace } from '../pace.ts';
import { foldEvent, type ReadEvent } from '../reading/fold-events.ts';
import {
  failureText,
  isStorable,
  isTooLarge,
  knownFrom,
  mayBeLarge,
  NOTHING,
  type Known,
} from '../reading/stored-document.ts';
import { drafted, gathered, STEP_CHARS_MAX, type Change, type Drafted } from './drafted.ts';
import { isSamePlace } from './marks.ts';
import type { StoredSet } from './set.ts';
import { commitEnd, type Moving, type Slice } from './slice.ts';

interface FoldedSlice {
  /** Where the set is then: the end of the slice, or earlier. */
  readonly to: LogPoint;
  readonly documents: readonly Drafted[];
  /** Documents that were too large to be stored and still are, by id. */
  readonly large: ReadonlyMap<string, Folded>;
}

/** A document of the slice. */
interface Part {
  readonly moving: Moving;
  /** As it is after the slice, if a command has folded it: the same events over the same state. */
  readonly now: Folded | undefined;
  /** As it is stored; undefined if it isn't, or isn't known. */
  was: Known | undefined;
  /** The same, not read yet. */
  stored: StoredDocument | undefined;
  /** Whether the store must be asked. */
  isMissing: boolean;
  /** Characters of its state that were read. */
  readChars: number;
  isFolded: boolean;
  /** Undefined if there is nothing to store. */
  drafted: Drafted | undefined;
  /** One that is too large to be stored: before the slice, if that is known, and after it. */
  large: Folded | undefined;
  kept: Folded | undefined;
}

/**
 * Folds a slice into a set, or as much of it as a step may weigh, and stores what comes of it. `moved` if another server has moved it
 * meanwhile; undefined if this server has found it elsewhere since the slice was begun.
 */
export async function foldInto(
  core: Core,
  set: StoredSet,
  slice: Slice,
  read: ReadEvent,
): Promise<Stepped | undefined> {
  const from = set.place;
  if (from?.position !== slice.from) return undefined;
  const { generation } = core.membership;
  const folded = await new SliceFolding(core, set, from, slice, read).run();
  if (!folded) {
    set.forget();
    return 'moved';
  }
  const { to, documents, large } = folded;
  const stepped = await set.advance({ generation, from, to, ...gathered(documents) });
  if (stepped === 'stored') {
    set.took(documents, to);
    for (const [id, now] of large) set.keepLarge(id, now);
  } else set.forget();
  return stepped;
}

class SliceFolding {
  readonly #core: Core;
  readonly #set: StoredSet;
  readonly #from: LogPoint;
  readonly #slice: Slice;
  readonly #indexes: readonly Index[];
  readonly #read: ReadEvent;
  readonly #pace: Pace;
  /** In the order of their first events. */
  #parts: readonly Part[];

  constructor(core: Core, set: StoredSet, from: LogPoint, slice: Slice, read: ReadEvent) {
    this.#core = core;
    this.#set = set;
    this.#from = from;
    this.#slice = slice;
    this.#indexes = set.indexes();
    this.#read = read;
    this.#pace = new Pace(core.runtime);
    const moving = [...slice.documents.values()].filter(({ collection }) => collection === set.collection.name);
    this.#parts = moving.map((one) => this.#part(one));
  }

  /** Undefined if the set isn't where it was. */
  async run(): Promise<FoldedSlice | undefined> {
    let { to } = this.#slice;
    for (;;) {
      const folded = await this.#fold();
      if (folded === 'moved') return undefined;
      if (folded === 'all') break;
      to = await commitEnd(this.#core.untilClosed, this.#slice.to, this.#from.position, folded);
      this.#end(to.position);
    }
    const large = this.#parts.flatMap(({ moving, kept }): [string, Folded][] => (kept ? [[moving.id, kept]] : []));
    return { to, documents: this.#parts.flatMap(({ drafted: one }) => one ?? []), large: new Map(large) };
  }

  /** The position that it must end at, if it weighs too much. */
  async #fold(): Promise<number | 'all' | 'moved'> {
    let begun = 0;
    let [readChars, draftedChars] = [0, 0];
    for (const [index, part] of this.#parts.entries()) {
      const { position } = part.moving.events[0]!;
      const isFull = readChars >= STEP_CHARS_MAX || draftedChars >= STEP_CHARS_MAX;
      // All documents of an event are stored together.
      if (isFull && position > begun) return position - 1;
      begun = position;
      if (!part.isFolded) {
        if (!(await this.#learn(part, index))) return 'moved';
        if (this.#pace.isOver()) await this.#pace.turn();
        part.drafted = await this.#drafted(part);
        part.isFolded = true;
        if (this.#pace.isOver()) await this.#pace.turn();
      }
      readChars += part.readChars;
      draftedChars += part.drafted?.document.state.length ?? 0;
    }
    return 'all';
  }

  /** Leaves out later events. Documents that have some of them are folded again, up to there. */
  #end(position: number): void {
    this.#parts = this.#parts.flatMap((part) => {
      const { moving, was, now, large, readChars } = part;
      const events = moving.events.filter((event) => event.position <= position);
      if (events.length === 0) return [];
      if (events.length === moving.events.length) return part;
      const fewer = this.#part({ ...moving, events, last: moving.first + events.length - 1 }, was);
      fewer.readChars = readChars;
      fewer.large = large;
      // Known to be missing, or it wasn't needed so far.
      fewer.isMissing = !was && (part.isMissing || now !== undefined);
      return fewer;
    });
  }

  #part(moving: Moving, was = this.#set.known(moving.id)): Part {
    const { cache, membership } = this.#core;
    // What is cached was folded from the set that documents are found in: a rebuild folds them without it.
    const isFound = membership.own.get(moving.collection)?.definition.set === this.#set.number;
    const cached = isFound ? cache.get(moving.collection, moving.id) : undefined;
    const now = cached?.version === moving.last ? cached : undefined;
    // Entries that go are those of the stored state; and one that can't be stored any more stays as it is.
    const isMissing = !was && (!now || this.#indexes.length > 0 || mayBeLarge(now));
    const large = this.#set.large(moving.id);
    const open = { stored: undefined, readChars: 0, isFolded: false, drafted: undefined, kept: undefined };
    return { moving, now, was, isMissing, large, ...open };
  }

  /** Makes known how a document is stored. False if the set isn't where it was. */
  async #learn(part: Part, index: number): Promise<boolean> {
    while (part.isMissing && !part.stored) {
      const asked = this.#nextMissing(index);
      const ids = asked.map(({ moving }) => moving.id);
      const page = await this.#core.untilClosed.stored({ set: this.#set.number, ids });
      if (!page || !isSamePlace(page.place, this.#from)) return false;
      this.#set.readMax = fitting(page.documents);
      const found = new Map(page.documents.map((document) => [document.id, document]));
      for (const one of asked) {
        one.stored = found.get(one.moving.id);
        if (!one.stored && !page.more) one.isMissing = false;
      }
    }
    if (part.stored) {
      part.readChars = part.stored.state.length;
      part.was = knownFrom(this.#set.collection.name, part.stored);
      part.stored = undefined;
      part.isMissing = false;
    }
    return true;
  }

  #nextMissing(index: number): readonly Part[] {
    const missing: Part[] = [];
    for (const part of this.#parts.slice(index)) {
      if (part.isMissing && !part.stored) missing.push(part);
      if (missing.length === this.#set.readMax) break;
    }
    return missing;
  }

  /** Undefined if there is nothing to store: it has these events already, or it stays as it is stored. */
  async #drafted(part: Part): Promise<Drafted | undefined> {
    const { moving, was, now } = part;
    const { id } = moving;
    if (was?.failed !== undefined && !isTooLarge(was)) {
      // Should another server mend it meanwhile, then the set isn't where it was.
      this.#set.metFailed(id, was);
      return undefined;
    }
    const known = now && this.#draft({ id, was, now: { folded: now } });
    if (known && !known.large) return known;
    const from = this.#begin(part);
    if (!from) {
      if (now) part.kept = now;
      else this.#set.unsure.add(id);
      return undefined;
    }
    if (from.failed !== undefined) return this.#draft({ id, was, now: from });
    const events = this.#after(moving, from.folded);
    if (events.length === 0) return undefined;
    const then = now ? { folded: now } : await this.#folded(id, from.folded, events);
    const one = known ?? this.#draft({ id, was, now: then });
    if (one.now === then) return one;
    const fits = await this.#lastStorable(id, from.folded, events, then.folded.version);
    if (fits) return this.#draft({ id, was, now: then, fits });
    if (!one.large || !isTooLarge(was)) return one;
    part.kept = one.large;
    return undefined;
  }

  #draft(change: Change): Drafted {
    return drafted(this.#set.collection.name, this.#indexes, change);
  }

  /** As it is before the slice; undefined for one that is too large to be stored, and isn't known. */
  #begin({ moving: { id, first }, was, large }: Part): Known | undefined {
    if (isTooLarge(was)) return large?.version === first - 1 ? { folded: large } : undefined;
    if (was) return was;
    try {
      return { folded: unborn(this.#set.collection, id) };
    } catch (error) {
      return failure(NOTHING, error);
    }
  }

  /** While a set is made, documents are ahead of it: they have the first of these events already. */
  #after({ id, events, first }: Moving, { version }: Folded): readonly ScannedEvent[] {
    if (version + 1 < first) throw this.#set.gap(id, version, first);
    return events.slice(version + 1 - first);
  }

  async #folded(id: string, from: Folded, events: readonly ScannedEvent[]): Promise<Known> {
    let folded = from;
    for (const event of events) {
      const next = foldEvent(this.#read, this.#set.collection, id, folded, event, folded.version + 1);
      if (next.error !== undefined) return failure(folded, next.error);
      folded = next.folded;
      if (this.#pace.isOver()) await this.#pace.turn();
    }
    return { folded };
  }

  /**
   * The last version below `end` whose state isn't too large to be stored; undefined if there is none. Folded once more: nearly always
   * the last of a slice is.
   */
  async #lastStorable(
    id: string,
    from: Folded,
    events: readonly ScannedEvent[],
    end: number,
  ): Promise<Folded | undefined> {
    let folded = from;
    let last: Folded | undefined;
    for (const event of events) {
      if (folded.version + 1 >= end) break;
      ({ folded } = foldEvent(this.#read, this.#set.collection, id, folded, event, folded.version + 1));
      if (isStorable(folded)) last = folded;
      if (this.#pace.isOver()) await this.#pace.turn();
    }
    return last;
  }
}

/** How many documents like these weigh as much as a step. */
function fitting(documents: readonly StoredDocument[]): number {
  const chars = documents.reduce((sum, { state }) => sum + state.length, 0);
  const fits = Math.floor((STEP_CHARS_MAX * documents.length) / chars) || STEP_DOCUMENTS_MAX;
  return Math.max(1, Math.min(STEP_DOCUMENTS_MAX, fits));
}

/** @throws errors that don't concern this document alone: the log is damaged, or newer than this code */
function failure(folded: Folded, error: unknown): Known {
  if (!hasCode(error, 'ReducerFailed', 'UpcastFailed')) throw error;
  return { folded, failed: failureText(error) };
}
