/**
 * A slice folded into the documents of one set: as much of it as a step may weigh. States are read, folded and written as text one
 * after the other, with turns of the event loop; once they weigh enough, the step ends before the next document's first event.
 */
import { hasCode } from '../../errors.ts';
import { unborn, type Folded } from '../../model/reduce.ts';
import { STEP_DOCUMENTS_MAX, type Index, type LogPoint, type Stepped, type StoredDocument } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Pace } from '../pace.ts';
import { foldEvent, type ReadEvent } from '../reading/fold-events.ts';
import { failureText, knownFrom, mayBeLarge, NOTHING, type Known } from '../reading/stored-document.ts';
import { drafted, gathered, STEP_CHARS_MAX, type Drafted } from './drafted.ts';
import { isSamePlace } from './marks.ts';
import type { StoredSet } from './set.ts';
import { commitEnd, type Moving, type Slice } from './slice.ts';

interface FoldedSlice {
  /** Where the set is then: the end of the slice, or earlier. */
  readonly to: LogPoint;
  readonly documents: readonly Drafted[];
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
  const { to, documents } = folded;
  const stepped = await set.advance({ generation, from, to, ...gathered(documents) });
  if (stepped === 'stored') set.took(documents, to);
  else set.forget();
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
    return { to, documents: this.#parts.flatMap(({ drafted: one }) => one ?? []) };
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
        part.drafted = this.#drafted(part);
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
      const { moving, was, now, readChars } = part;
      const events = moving.events.filter((event) => event.position <= position);
      if (events.length === 0) return [];
      if (events.length === moving.events.length) return part;
      const fewer = this.#part({ ...moving, events, last: moving.first + events.length - 1 }, was);
      fewer.readChars = readChars;
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
    return { moving, now, was, stored: undefined, isMissing, readChars: 0, isFolded: false, drafted: undefined };
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

  #drafted({ moving, was, now }: Part): Drafted | undefined {
    const { id } = moving;
    if (was?.failed !== undefined) this.#set.metFailed(id, was);
    const then = this.#folded(moving, was, now);
    if (!then) return undefined;
    return drafted(this.#set.collection.name, this.#indexes, { id, was, now: then });
  }

  /**
   * Undefined for a document that has these events already, and for one that failed before: it stays where it is. Should another
   * server mend it meanwhile, then the set isn't where it was.
   */
  #folded({ id, events, first }: Moving, was: Known | undefined, now: Folded | undefined): Known | undefined {
    if (was?.failed !== undefined) return undefined;
    if (now) return { folded: now };
    const { collection } = this.#set;
    let folded: Folded | undefined = was?.folded;
    try {
      folded ??= unborn(collection, id);
    } catch (error) {
      return failure(NOTHING, error);
    }
    if (folded.version + 1 < first) throw this.#set.gap(id, folded.version, first);
    // While a set is made, documents are ahead of it: they have the first of these events already.
    const more = events.slice(folded.version + 1 - first);
    if (more.length === 0) return undefined;
    for (const event of more) {
      const next = foldEvent(this.#read, collection, id, folded, event, folded.version + 1);
      if (next.error !== undefined) return failure(folded, next.error);
      folded = next.folded;
    }
    return { folded };
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
